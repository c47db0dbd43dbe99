"""What people look at: tables, curves, sheets, history.csv. Plain values in; knows no training engine."""
