"""From an event that fits a rule to the firings that follow from it: at once, or by what nodes remember. One file a
kind of trigger."""
