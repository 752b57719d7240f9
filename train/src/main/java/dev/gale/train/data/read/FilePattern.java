package dev.gale.train.data.read;

import java.util.List;
import java.util.regex.Pattern;

/// A pattern of paths as fsspec reads them: `*` stands for any part of a name, `**` for folders too, `?` for a character,
/// `[...]` for one of some.
final class FilePattern {
    private final Pattern pattern;
    private final boolean hidden;
    private final boolean internal;

    FilePattern(String glob) {
        String plain = glob.startsWith("./") ? glob.substring(2) : glob;
        pattern = Pattern.compile(regex(plain));
        hidden = parts(plain).stream().anyMatch(FilePattern::isHidden);
        internal = parts(plain).stream().anyMatch(part -> part.startsWith("__"));
    }

    static boolean isPattern(String path) {
        return path.chars().anyMatch(c -> c == '*' || c == '?' || c == '[');
    }

    private static List<String> parts(String path) {
        return List.of(path.split("/"));
    }

    private static boolean isHidden(String part) {
        return part.startsWith(".") && !part.equals(".") && !part.equals("..");
    }

    private static String regex(String glob) {
        StringBuilder regex = new StringBuilder();
        for (int i = 0; i < glob.length(); i++) {
            char c = glob.charAt(i);
            int close = c == '[' ? glob.indexOf(']', i + 1) : -1;
            if (glob.startsWith("**/", i)) {
                regex.append("(?:.*/)?");
                i += 2;
            } else if (glob.startsWith("**", i)) {
                regex.append(".*");
                i++;
            } else if (close > i + 1) {
                String set = glob.substring(i + 1, close).replace("\\", "\\\\").replace("[", "\\[").replace("&&", "&\\&");
                regex.append('[').append(set.startsWith("!") ? "^" + set.substring(1) : set.replace("^", "\\^")).append(']');
                i = close;
            } else {
                regex.append(c == '*' ? "[^/]*" : c == '?' ? "[^/]" : Pattern.quote(String.valueOf(c)));
            }
        }
        return regex.toString();
    }

    /// @param path relative, with `/` between its parts; hidden ones and those that begin with `__` must be asked for
    boolean matches(String path) {
        if (!hidden && parts(path).stream().anyMatch(FilePattern::isHidden)) return false;
        List<String> folders = parts(path).subList(0, parts(path).size() - 1);
        if (!internal && folders.stream().anyMatch(part -> part.startsWith("__"))) return false;
        return pattern.matcher(path).matches();
    }
}
