"""The command line of staff, authorities and operators."""
