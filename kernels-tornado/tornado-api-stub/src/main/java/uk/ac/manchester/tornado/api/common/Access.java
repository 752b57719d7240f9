package uk.ac.manchester.tornado.api.common;

/// How a task uses one of its arguments.
public enum Access {
    NONE(0),
    READ_ONLY(1),
    WRITE_ONLY(2),
    READ_WRITE(3);

    public final byte position;

    Access(int position) {
        this.position = (byte) position;
    }
}
