package dev.gale.train.config;

import dev.gale.tensor.InputException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.RecordComponent;
import java.lang.reflect.Type;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.BiFunction;

/// Fills the components of a record from keys of a configuration: `learningRate` from `learning_rate`. Components whose
/// key is absent, or has no value, keep what the record of defaults holds.
///
/// @param readers for types of components that are written in a way of their own, from key and value
record RecordBinder(Map<Class<?>, BiFunction<String, ConfigValue, Object>> readers) {
    private static final String NUMBER = "[-+]?(\\d+\\.?\\d*|\\.\\d+)([eE][-+]?\\d+)?";

    /// The keys that a record understands, in its order.
    static List<String> keys(Class<? extends Record> type) {
        return Arrays.stream(type.getRecordComponents()).map(component -> snakeCase(component.getName())).toList();
    }

    /// Keys that the record does not have are left alone.
    /// Throws: InputException naming key, value found and what is expected.
    @SuppressWarnings("unchecked")
    <T extends Record> T bind(T defaults, Map<String, ConfigValue> section) {
        RecordComponent[] components = defaults.getClass().getRecordComponents();
        Object[] values = new Object[components.length];
        Class<?>[] types = new Class<?>[components.length];
        for (int i = 0; i < components.length; i++) {
            String key = snakeCase(components[i].getName());
            ConfigValue given = section.get(key);
            types[i] = components[i].getType();
            values[i] = given == null || given.value() == null
                    ? read(components[i], defaults) : convert(key, given, components[i].getGenericType());
        }
        try {
            var constructor = defaults.getClass().getDeclaredConstructor(types);
            constructor.setAccessible(true);
            return (T) constructor.newInstance(values);
        } catch (InvocationTargetException e) {
            if (e.getCause() instanceof InputException wrong) throw placed(wrong, section);
            throw new IllegalStateException(e.getCause());
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
    }

    private static Object read(RecordComponent component, Record from) {
        try {
            component.getAccessor().setAccessible(true);
            return component.getAccessor().invoke(from);
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
    }

    /// Puts the place of the first key that a record's complaint names before it.
    private static InputException placed(InputException wrong, Map<String, ConfigValue> section) {
        for (String word : wrong.getMessage().split("[^a-z0-9_]+")) {
            ConfigValue given = section.get(word);
            if (given != null) return new InputException(given.place() + ": " + wrong.getMessage(), wrong);
        }
        return wrong;
    }

    private Object convert(String key, ConfigValue given, Type type) {
        if (type instanceof ParameterizedType generic) return convertGeneric(key, given, generic);
        Class<?> target = (Class<?>) type;
        if (readers.containsKey(target)) return readers.get(target).apply(key, given);
        if (target.isEnum()) return constant(key, given, target);
        return switch (target.getSimpleName()) {
            case "int", "Integer" -> Math.toIntExact(whole(key, given, Integer.MIN_VALUE, Integer.MAX_VALUE));
            case "long", "Long" -> whole(key, given, Long.MIN_VALUE, Long.MAX_VALUE);
            case "double", "Double" -> number(key, given);
            case "boolean", "Boolean" -> {
                if (given.value() instanceof Boolean flag) yield flag;
                throw given.wrong(key, "true or false");
            }
            case "String" -> text(key, given);
            case "Path" -> Path.of(text(key, given));
            case "Object" -> given.plain();
            default -> throw new IllegalStateException(key + " has a type that no key can have: " + type);
        };
    }

    private Object convertGeneric(String key, ConfigValue given, ParameterizedType type) {
        Type inner = type.getActualTypeArguments()[type.getActualTypeArguments().length - 1];
        if (type.getRawType() == Optional.class) return Optional.of(convert(key, given, inner));
        if (type.getRawType() == List.class) {
            List<Object> list = new ArrayList<>();
            for (ConfigValue element : given.list()) list.add(convert(key, element, inner));
            return list;
        }
        if (type.getRawType() == Map.class) {
            Map<String, Object> map = new LinkedHashMap<>();
            given.section(key).forEach((name, value) -> map.put(name, convert(key + "." + name, value, inner)));
            return map;
        }
        throw new IllegalStateException(key + " has a type that no key can have: " + type);
    }

    private static Object constant(String key, ConfigValue given, Class<?> type) {
        List<String> names = Arrays.stream(type.getEnumConstants())
                .map(constant -> constant.toString().toLowerCase(Locale.ROOT)).toList();
        int index = given.value() instanceof String name
                ? names.indexOf(name.toLowerCase(Locale.ROOT).replace('-', '_')) : -1;
        if (index < 0) throw given.wrong(key, "one of " + String.join(", ", names));
        return type.getEnumConstants()[index];
    }

    private static long whole(String key, ConfigValue given, long min, long max) {
        double number = given.value() instanceof Long value ? value : number(key, given, "a whole number");
        if (number != Math.rint(number) || number < min || number > max) throw given.wrong(key, "a whole number");
        return given.value() instanceof Long value ? value : (long) number;
    }

    private static double number(String key, ConfigValue given) {
        return number(key, given, "a number");
    }

    /// YAML 1.1 takes `2e-4` for a word, people do not.
    private static double number(String key, ConfigValue given, String expected) {
        if (given.value() instanceof Number number) return number.doubleValue();
        if (given.value() instanceof String text && text.matches(NUMBER)) return Double.parseDouble(text);
        throw given.wrong(key, expected);
    }

    private static String text(String key, ConfigValue given) {
        if (given.value() instanceof Map || given.value() instanceof List) throw given.wrong(key, "text");
        return given.value().toString();
    }

    /// A number before a small letter begins a word: `load_in_4bit`, but `llm_int8_skip_modules`.
    static String snakeCase(String camelCase) {
        return camelCase.replaceAll("([A-Z]|\\d(?=[a-z]))", "_$1").toLowerCase(Locale.ROOT);
    }
}
