package dev.gale.train.hub;

/// A file of a repository.
///
/// @param path     in the repository, with `/`
/// @param size     bytes
/// @param checksum of its bytes
record RemoteFile(String path, long size, Checksum checksum) {}
