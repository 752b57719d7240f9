package dev.gale.train.data.clean;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.time.Duration;
import java.util.EnumSet;
import java.util.Map;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class PersonalDataTest {
    private static PersonalData.Masked mask(String text) {
        return PersonalData.mask(text, EnumSet.allOf(PersonalData.class));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
        "write to jane.doe+x@mail.example.co.uk.|write to <EMAIL>.",
        "<bob@example.com>|<<EMAIL>>",
        "call +49 30 901820 or +14155552671|call <PHONE> or <PHONE>",
        "call (415) 555-2671, 415-555-2671, 1-415-555-2671|call <PHONE>, <PHONE>, <PHONE>",
        "Tel. 030 901820, 01 23 45 67 89|Tel. <PHONE>, <PHONE>",
        "from 192.168.17.4 to 8.8.4.40:53|from <IP> to <IP>:53",
        "at 2001:0db8:85a3:0000:0000:8a2e:0370:7334 and fe80::1ff:fe23:4567|at <IP> and <IP>",
        "card 4111 1111 1111 1111 and 5500-0000-0000-0004|card <CARD> and <CARD>",
        "378282246310005|<CARD>",
        "aws AKIAIOSFODNN7EXAMPLE|aws <KEY>",
        "export HF=hf_abcdefghijklmnopqrstuvwxyzABCDEFGH|export HF=<KEY>",
        "api_key = \"9f8e7d6c5b4a39281706\"|api_key = \"<KEY>\"",
        "password: hunter2hunter2|password: <KEY>",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N|<KEY>"})
    void isMasked(String text, String masked) {
        assertEquals(masked, mask(text).text());
    }

    @ParameterizedTest
    @ValueSource(strings = {"see @jane and a@b", "on 2024-01-15 at 12:30:45", "2024-01-15 to 2024-02-20",
        "version 1.2.3.4 of x", "4111 1111 1111 1112", "1234567890123456", "127.0.0.1 and ::1 and 0.0.0.0", "300.1.2.3",
        "1,000,000,000", "3.14159265358979", "ISBN 978-3-16-148410-0", "a::b, std::vector", "password: correct horse",
        "from 1990 to 2010", "0.000 123", "01/02/2024", "01 02 2024", "page 12-34-56", "the key is under the mat",
        "x = 12345678"})
    void isLeft(String text) {
        assertEquals(text, mask(text).text());
        assertEquals(Map.of(), mask(text).found());
    }

    @Test
    void privateKeysAreMaskedWhole() {
        String key = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nabc=\n-----END RSA PRIVATE KEY-----";
        assertEquals("a\n<KEY>\nb", mask("a\n" + key + "\nb").text());
    }

    @Test
    void findingsAreCountedByKind() {
        PersonalData.Masked masked = mask("a@b.de, c@d.org, 10.1.2.30");
        assertEquals(Map.of(PersonalData.EMAIL, 2, PersonalData.IP, 1), masked.found());
        assertEquals("a@b.de, c@d.org, <IP>", PersonalData.mask("a@b.de, c@d.org, 10.1.2.30", EnumSet.of(PersonalData.IP))
                .text());
    }

    @Test
    void longTextsTakeTheirTimeOnly() {
        for (String text : new String[] {"1 ".repeat(200_000), "a.".repeat(200_000) + "@", "0 1".repeat(100_000),
            "-".repeat(300_000),
            "ab:".repeat(100_000) + "1234", "+1 (".repeat(100_000), "-----BEGIN PRIVATE KEY-----".repeat(5_000),
            "1.".repeat(200_000)}) {
            Assertions.assertTimeoutPreemptively(Duration.ofSeconds(20), () -> mask(text));
        }
    }
}
