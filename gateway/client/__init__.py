"""The clients of both sides: the sharing team's and the authorities'."""
