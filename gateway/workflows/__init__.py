"""What the gateway does, step by step, each step durable before it shows."""
