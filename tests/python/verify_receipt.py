"""Verifies a receipt with PyPI's jwcrypto and nothing of this project.

usage: verify_receipt.py RECEIPT ROOT_PEM FILE

Exit 0 and the payload on standard output if the receipt's signature fits, its chain leads to the root, and it speaks of
the file's bytes; otherwise exit 1 and the reason.
"""

import base64
import hashlib
import json
import sys

from cryptography import x509
from jwcrypto import jwk, jws


def fail(reason):
    print(reason, file=sys.stderr)
    sys.exit(1)


def main(receipt_path, root_path, content_path):
    text = open(receipt_path, encoding="ascii").read()
    root = x509.load_pem_x509_certificate(open(root_path, "rb").read())
    token = jws.JWS()
    token.deserialize(text)
    header = token.jose_header
    if header["alg"] not in ("ES256", "ES384"):
        fail("unexpected algorithm " + header["alg"])
    if header["typ"] != "sekisho-receipt+jws":
        fail("not a receipt but " + header["typ"])
    chain = [x509.load_der_x509_certificate(base64.b64decode(der)) for der in header["x5c"]]
    for subject, issuer in zip(chain, chain[1:] + [root]):
        try:
            subject.verify_directly_issued_by(issuer)
        except Exception as error:
            fail("the chain does not lead to the root: %r" % error)
    key = jwk.JWK()
    key.import_from_pyca(chain[0].public_key())
    try:
        token.verify(key)
    except jws.InvalidJWSSignature:
        fail("the signature does not fit")
    payload = json.loads(token.payload)
    content = open(content_path, "rb").read()
    if payload["length"] != len(content):
        fail("the receipt speaks of another length")
    if payload["sha256"] != hashlib.sha256(content).hexdigest():
        fail("the receipt speaks of other bytes")
    print(token.payload.decode("utf-8"))


if __name__ == "__main__":
    main(*sys.argv[1:])
