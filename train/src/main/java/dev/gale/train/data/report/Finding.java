package dev.gale.train.data.report;

/// Something that a report says about the data.
///
/// @param weight  how much it matters
/// @param title   one line
/// @param meaning what follows from it, and what to do
/// @param section id of the section that shows it
record Finding(Weight weight, String title, String meaning, String section) {
    /// From what spoils a training to what is as it should be.
    enum Weight {
        PROBLEM("Problem", "problem"),
        LOOK("Worth a look", "look"),
        FINE("Fine", "fine");

        final String word;
        final String style;

        Weight(String word, String style) {
            this.word = word;
            this.style = style;
        }
    }
}
