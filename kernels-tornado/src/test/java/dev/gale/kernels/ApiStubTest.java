package dev.gale.kernels;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.lang.annotation.Retention;
import java.lang.annotation.Target;
import java.lang.reflect.Constructor;
import java.lang.reflect.Executable;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import uk.ac.manchester.tornado.api.KernelContext;

/// Compares the stand-in of tornado-api with the real one, wherever `TORNADOVM_HOME` has it.
class ApiStubTest {
    private static final int KIND = Modifier.INTERFACE | Modifier.ABSTRACT;
    private static final int MEMBER = Modifier.STATIC | Modifier.PUBLIC | Modifier.PROTECTED;
    /// Words before a method's signature that callers do not depend on; those that they do are in `MEMBER`.
    private static final Pattern OTHER_FLAGS =
            Pattern.compile("\\b(public|protected|static|final|abstract|default|synchronized|transient) ");
    private static final String API = "uk.ac.manchester.tornado.api.";

    private static Path realApi() throws IOException {
        String home = System.getenv("TORNADOVM_HOME");
        assumeTrue(home != null, "TORNADOVM_HOME is not set: the stand-in was not compared with the real tornado-api");
        try (Stream<Path> jars = Files.list(Path.of(home, "share", "java", "tornado"))) {
            return jars.filter(jar -> jar.getFileName().toString().matches("tornado-api-[\\w.-]*\\.jar"))
                    .filter(jar -> !jar.toString().contains("sources")).findFirst()
                    .orElseThrow(() -> new IOException(home + "/share/java/tornado has no tornado-api jar"));
        }
    }

    /// Names of the stand-in's classes, or none when this was compiled against the real API.
    private static List<String> stubClasses() throws Exception {
        Path source = Path.of(KernelContext.class.getProtectionDomain().getCodeSource().getLocation().toURI());
        if (Files.isDirectory(source)) return classes(source);
        if (!source.getFileName().toString().contains("stub")) return List.of();
        try (FileSystem jar = FileSystems.newFileSystem(source)) {
            return classes(jar.getPath("/"));
        }
    }

    private static List<String> classes(Path root) throws IOException {
        try (Stream<Path> files = Files.walk(root)) {
            return files.map(file -> root.relativize(file).toString().replace('/', '.').replace('\\', '.'))
                    .filter(name -> name.startsWith(API) && name.endsWith(".class"))
                    .map(name -> name.substring(0, name.length() - ".class".length())).sorted().toList();
        }
    }

    /// What a caller can name of a class: its kind, its parent, its members with their signatures.
    private static Set<String> visible(Class<?> type) {
        Set<String> members = new TreeSet<>();
        members.add("kind " + Modifier.toString(type.getModifiers() & KIND) + (type.isEnum() ? " enum" : "")
                + (type.isAnnotation() ? " annotation" : ""));
        if (type.getSuperclass() != null && isVisible(type.getSuperclass().getModifiers())) {
            members.add("extends " + type.getSuperclass().getName());
        }
        for (Field field : type.getDeclaredFields()) {
            if (!isVisible(field.getModifiers())) continue;
            members.add("field " + flags(field.getModifiers())
                    + field.getType().getName() + " " + field.getName());
        }
        for (Constructor<?> made : type.getDeclaredConstructors()) {
            if (isVisible(made.getModifiers())) members.add("new " + flags(made.getModifiers()) + parameters(made));
        }
        for (Method method : type.getDeclaredMethods()) {
            if (!isVisible(method.getModifiers()) || method.isSynthetic()) continue;
            members.add("method " + flags(method.getModifiers()) + OTHER_FLAGS.matcher(method.toGenericString())
                    .replaceAll(""));
        }
        Target target = type.getAnnotation(Target.class);
        if (target != null) members.add("target " + new TreeSet<>(Arrays.asList(target.value())));
        Retention retention = type.getAnnotation(Retention.class);
        if (retention != null) members.add("retention " + retention.value());
        return members;
    }

    private static boolean isVisible(int modifiers) {
        return Modifier.isPublic(modifiers) || Modifier.isProtected(modifiers);
    }

    private static String flags(int modifiers) {
        return Modifier.toString(modifiers & MEMBER) + " ";
    }

    private static String parameters(Executable executable) {
        return Arrays.stream(executable.getParameterTypes()).map(Class::getName).toList().toString();
    }

    private static Set<String> enumConstants(Class<?> type) {
        if (!type.isEnum()) return Set.of();
        Stream<Field> constants = Arrays.stream(type.getFields()).filter(Field::isEnumConstant);
        return new TreeSet<>(constants.map(Field::getName).toList());
    }

    @Test
    void everyMemberOfTheStubIsInTheRealApi() throws Exception {
        List<String> names = stubClasses();
        assumeTrue(!names.isEmpty(), "compiled against the real tornado-api: there is no stand-in to compare");
        URL[] jar = {realApi().toUri().toURL()};
        List<String> wrong = new ArrayList<>();
        int compared = 0;
        try (URLClassLoader real = new URLClassLoader(jar, ClassLoader.getPlatformClassLoader())) {
            for (String name : names) {
                Class<?> ours = Class.forName(name, false, getClass().getClassLoader());
                if (!isVisible(ours.getModifiers())) continue;
                Class<?> theirs = Class.forName(name, false, real);
                Set<String> expected = visible(theirs);
                for (String member : visible(ours)) {
                    compared++;
                    if (!expected.contains(member)) wrong.add(name + ": " + member);
                }
                if (!enumConstants(ours).equals(enumConstants(theirs))) {
                    wrong.add(name + " has the constants " + enumConstants(ours) + ", not " + enumConstants(theirs));
                }
            }
        }
        assertEquals(List.of(), wrong);
        assertTrue(compared > 500, "only " + compared + " members were compared");
    }
}
