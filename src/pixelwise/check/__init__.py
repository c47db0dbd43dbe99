"""The doctor: finds what is wrong with a data set before it costs a day. No torch here."""
