"""Where everything is kept: tables, SQL functions per noun, the single writer, bodies as part blobs."""
