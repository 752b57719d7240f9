package uk.ac.manchester.tornado.api.enums;

/// Code generators of TornadoVM.
public enum TornadoVMBackendType {
    OPENCL,
    METAL,
    PTX,
    CUDA,
    SPIRV,
    JAVA,
    VIRTUAL
}
