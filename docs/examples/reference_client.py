"""An endpoint that reads its inbox, pulls and acknowledges: PyJWT and the standard library, 40 lines.

reference_client.py URL AUDIENCE ACTOR REQUEST.pem MESSAGE.pem [SHARE [FOLDER]]; signatures are not checked.
"""

import base64, hashlib, json, os, pathlib, secrets, sys, time, urllib.request  # noqa: E401

import jwt
from cryptography.hazmat.primitives.serialization import load_pem_private_key

url, audience, actor = sys.argv[1:4]
request_key, message_key = (load_pem_private_key(open(p, "rb").read(), None) for p in sys.argv[4:6])
b64 = lambda raw: base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
un64 = lambda text: base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
canonical = lambda value: json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

def kid(key):
    x = b64(key.public_key().public_bytes_raw())
    return b64(hashlib.sha256(canonical({"crv": "Ed25519", "kty": "OKP", "x": x})).digest())

def call(method, target, body=None, **headers):
    claims = {"iss": actor, "aud": audience, "iat": int(time.time()), "exp": int(time.time()) + 60, "jti": secrets.token_hex(16),
              "htm": method, "htu": target, "bd": b64(hashlib.sha256(body or b"").digest())}  # fmt: skip
    token = jwt.encode(claims, request_key, "EdDSA", {"kid": kid(request_key), "typ": "fx-req+jwt"})
    request = urllib.request.Request(url + target, body, {**headers, "Authorization": f"Bearer {token}"}, method=method)
    return urllib.request.urlopen(request).read()

def receipt(share, manifest, rung):
    name = "rcp_" + base64.b32encode(os.urandom(16)).decode().rstrip("=").lower()
    said = {"v": 1, "id": name, "share": share, "rung": rung, "by": actor, "manifest": hashlib.sha256(manifest).hexdigest(),
            "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}  # fmt: skip
    head, payload = b64(canonical({"alg": "EdDSA", "kid": kid(message_key), "typ": "eg-receipt"})), b64(canonical(said))
    signature = {"protected": head, "sig2": None, "signature": b64(message_key.sign(f"{head}.{payload}".encode()))}
    return json.loads(call("POST", f"/v1/shares/{share}/receipts", canonical({"payload": payload, "signatures": [signature]})))

if len(sys.argv) < 7:
    for message in json.loads(call("GET", "/v1/inbox?after=0"))["messages"]:
        print(un64(json.loads(message)["payload"]).decode())
else:
    share, folder = sys.argv[6], pathlib.Path(sys.argv[7] if len(sys.argv) > 7 else sys.argv[6])
    manifest = call("GET", f"/v1/shares/{share}/manifest")
    folder.mkdir(exist_ok=True)
    for item in json.loads(un64(json.loads(manifest)["payload"]))["items"]:
        data = call("GET", f"/v1/shares/{share}/items/{item['n']}")
        digests = [hashlib.sha256(part).hexdigest() for part in (data[: item["header_size"]], data[item["header_size"] :])]
        assert digests == [item["header"], item["body"]], "not what the manifest says"
        (folder / f"{item['n']}.age").write_bytes(data)  # now: age -d -i identity
    print(receipt(share, manifest, "pulled")["state"])
