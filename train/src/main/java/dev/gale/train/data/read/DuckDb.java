package dev.gale.train.data.read;

import dev.gale.tensor.InputException;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.List;
import java.util.Properties;

/// DuckDB where it is on the class path, shut in: a connection sees one file, no network and no other file.
final class DuckDb {
    private static final String URL = "jdbc:duckdb:";
    private static final String NOT_FOUND = "%s needs DuckDB, which is not on the class path; put duckdb_jdbc.jar "
            + "(org.duckdb:duckdb_jdbc of Maven Central) into the folder extra of Gale, or name it in GALE_CLASSPATH";

    private DuckDb() {}

    /// A connection that sees a file.
    ///
    /// @param what what it is for, for the message
    ///
    /// Throws InputException when DuckDB is not there.
    static Connection open(Path file, String what) {
        if (DriverManager.drivers().noneMatch(driver -> driver.getClass().getName().startsWith("org.duckdb."))) {
            throw new InputException(NOT_FOUND.formatted(what));
        }
        Properties streamed = new Properties();
        streamed.put("jdbc_stream_results", "true");
        try {
            Connection connection = DriverManager.getConnection(URL, streamed);
            try (Statement statement = connection.createStatement()) {
                for (String setting : new String[] {"memory_limit='1GB'", "autoinstall_known_extensions=false",
                        "autoload_known_extensions=false", "allowed_paths=[" + text(file.toAbsolutePath().toString()) + "]",
                        "enable_external_access=false", "lock_configuration=true"}) {
                    statement.execute("SET " + setting);
                }
            } catch (SQLException e) {
                connection.close();
                throw e;
            }
            return connection;
        } catch (SQLException e) {
            throw new InputException("%s: DuckDB does not start (%s)".formatted(what, problem(e)), e);
        }
    }

    /// As SQL writes it.
    static String text(String value) {
        return "'" + value.replace("'", "''") + "'";
    }

    /// What DuckDB complains about, without what it was doing and where in the statement.
    static String problem(SQLException e) {
        List<String> lines = String.valueOf(e.getMessage()).lines().map(String::strip).filter(line -> !line.isEmpty()).toList();
        return lines.stream().filter(line -> line.startsWith("Error: ")).map(line -> line.substring(7)).findFirst()
                .orElse(lines.isEmpty() ? "unknown" : lines.getFirst());
    }

    static InputException wrong(String condition, SQLException e) {
        return new InputException("the condition '%s' does not work (%s); correct it".formatted(condition, problem(e)), e);
    }

    static void close(AutoCloseable closeable) {
        try {
            closeable.close();
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }
}
