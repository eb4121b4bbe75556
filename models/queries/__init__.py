"""The named questions that span tables: each says what the planner does and which index carries it."""
