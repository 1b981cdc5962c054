"""What everything stands on: errors, encodings, ids, instants, signatures. Pure, and knows no layer above."""
