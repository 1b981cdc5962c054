"""Check both signatures of a signed object, with the library `cryptography` 47 or later alone.

check_twice.py TYPE OBJECT VIEW SEEN: TYPE such as eg-manifest; OBJECT and VIEW files, the view of the directory
verified before; SEEN the time by which it is judged. Prints the payload if a key of the view signed it.
"""

import base64, hashlib, json, sys  # noqa: E401

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PublicKey

typ, (container, view), seen = sys.argv[1], (json.load(open(path)) for path in sys.argv[2:4]), sys.argv[4]
b64 = lambda raw: base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
un64 = lambda text: base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
canonical = lambda value: json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

USES = {"eg-manifest": "manifest", "eg-message": "manifest", "eg-receipt": "message", "eg-rfa": "message", "eg-terms": "message"}
keys = [key for entry in view["entries"] for member in entry["party"]["members"] for key in member["keys"]]
held = False
for key in keys:
    in_term = key["not_before"] <= seen < key["not_after"] and key["status"] in ("active", "retired")
    if key["use"] != USES[typ] or not in_term:
        continue
    kid = b64(hashlib.sha256(canonical({"crv": "Ed25519", "kty": "OKP", "x": key["public"]})).digest())
    header = b64(canonical({"alg": "EdDSA", "kid": kid, "typ": typ}))
    for signature in container["signatures"]:
        if signature["protected"] != header:
            continue
        message, second = f"{header}.{container['payload']}".encode(), key.get("second")
        Ed25519PublicKey.from_public_bytes(un64(key["public"])).verify(un64(signature["signature"]), message)
        if second is None:
            assert signature["sig2"] is None, "a second signature by a key that is paired with none"
        elif signature["sig2"] is not None:
            MLDSA65PublicKey.from_public_bytes(un64(second["public"])).verify(un64(signature["sig2"]), message, typ.encode())
        else:
            assert seen < second["mandatory_from"], "the second signature is due and missing"
        held = True
assert held, "no key of the view has signed it"
print(un64(container["payload"]).decode())
