"""The envelope: age version 1 with header and body apart, so that one body serves many recipients.

A body is sealed once under a fresh file key; each recipient gets a small header of his own, and
`header ‖ body` is an age file that any stock tool opens.
"""

from gateway.envelope.body import CHUNK, NONCE, TAG, Body, body_size, sealed_span
from gateway.envelope.files import (
    new_file_key,
    new_nonce,
    seal_bytes,
    seal_stream,
    unseal_bytes,
    unseal_stream,
)
from gateway.envelope.header import MAX_RECIPIENTS, NO_MATCH, unwrap, wrap
from gateway.envelope.keys import (
    Identity,
    Recipient,
    Suite,
    generate_identity,
    parse_identity,
    parse_recipient,
)
from gateway.envelope.lanes import Lane, in_order
from gateway.envelope.parts import PART, PartDigests, part_span, parts_in
from gateway.envelope.stanza import MAX_HEADER, header_size
from gateway.envelope.stream import open_body, seal_body

__all__ = [
    "CHUNK",
    "MAX_HEADER",
    "MAX_RECIPIENTS",
    "NONCE",
    "NO_MATCH",
    "PART",
    "TAG",
    "Body",
    "Identity",
    "Lane",
    "PartDigests",
    "Recipient",
    "Suite",
    "body_size",
    "generate_identity",
    "header_size",
    "in_order",
    "new_file_key",
    "new_nonce",
    "open_body",
    "parse_identity",
    "parse_recipient",
    "part_span",
    "parts_in",
    "seal_body",
    "seal_bytes",
    "seal_stream",
    "sealed_span",
    "unseal_bytes",
    "unseal_stream",
    "unwrap",
    "wrap",
]
