"""Known answers that a libcrypto must give before lanes trust it with an algorithm: one accept, three rejects.

For each algorithm a key, another key of its kind and the first key's signature of `MESSAGE`, made once by
`cryptography`; base64. Public keys are SubjectPublicKeyInfo. ML-DSA signatures are large, few libraries know them, and
making keys is quick: those answers are made when they are asked for.
"""

from __future__ import annotations

from base64 import b64decode
from typing import NamedTuple, cast

from . import primitives
from .algorithms import ALGORITHMS

MESSAGE = b"Jotgate tests each algorithm of a library before its first use."


class KnownAnswer(NamedTuple):
    """What a library is asked: `key` accepts `signature` over `MESSAGE`, `other_key` does not."""

    key: bytes
    other_key: bytes
    signature: bytes

    def rejects(self) -> tuple[tuple[bytes, bytes], ...]:
        """Return (key, signature) pairs that must be refused: a flipped bit, the wrong key, the wrong length."""
        flipped = bytes([*self.signature[:-1], self.signature[-1] ^ 1])
        return (self.key, flipped), (self.other_key, self.signature), (self.key, self.signature[:-1])


def known_answer(name: str) -> KnownAnswer:
    """Return the known answer of an algorithm, by its canonical name.

    Raises:
        LookupError: An ML-DSA algorithm that the OpenSSL of `cryptography` does not have.
    """
    if name not in _KNOWN_ANSWERS:
        return _made_now(name)
    key, other_key, signature = _KNOWN_ANSWERS[name]
    return KnownAnswer(b64decode(key), b64decode(other_key), b64decode(signature))


def _made_now(name: str) -> KnownAnswer:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    if not primitives.has_ml_dsa():
        raise LookupError(primitives.NO_ML_DSA)
    keys = [cast("primitives.MLDSAPrivateKey", primitives.generate(ALGORITHMS[name])) for _ in range(2)]
    key, other_key = (
        private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) for private in keys
    )
    return KnownAnswer(key, other_key, keys[0].sign(MESSAGE))


# fmt: off
_RSA = (
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAmxoLl5QkgihNmP86ndosFLxl0MztJhJkVA1luqAeqKYLXL7GofbwkYVvhL3pytOp"
    "W+wBnI7UFRPdYE9Dq+8w2O4iSpPEmXdmUXfUct7l111VHPQMZhVUEN8w6kyUIXsoLGZyvYGjAp/4DLnJAnX6gcrT92UUwlfK648WwhK37vws"
    "A8MN4zZ5wFOu4vsZ/y4trU3m0M0MxTWmfX8zFHEWtGP3YUjnruNw7T+74MSUrLiHtnuHQBGF/rUcY4MWWZB7ovYv+03uYz7rjDCkko48X3h2"
    "ZB0BZrDvaDtTlwfb7ZqlqlrYTCy6QniE7fU7UUnzsI0NwKB/oXkc1FgVFmo6cwIDAQAB"
)
_OTHER_RSA = (
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAvYMQBj4YyPtRRRm4hJQhgGkNvzcDrBscT57MoelxnML4QSa4E9zvpOkX2dcqLyHF"
    "YbNJJUz2WeRlXVmoW4O16Xszt1W20CXayYBdFLrafY2YRrmfoWeJcApaPg8KhnTFHD8okRnGp9GeOFLCzwDiTFNEsA4CzXWOYXNv2K8bsMAL"
    "+wg53QR5hGt+oo6WQbluJm/7klVjwI9ir5WPIdAfiz470Mk1TkR0dhWkEGVPuwbnbXxZ+lmzSeOVg81gXJcH0yJsxL0q/VZUfnfSXuNoPWVf"
    "WssuOn1mSFc9ScIG76Hn3+c6GX2XK4+q8Maf6G+6KzHLwS/GZ8PmlADjWRN95wIDAQAB"
)
_KNOWN_ANSWERS: dict[str, tuple[str, str, str]] = {
    "HS256": (
        "kHKSHjvU6B8U9EKdpv5RnRcvHHTNMX9hvmb1ARXMihU1CHAp62poRDQMfF8MxvQuzC9U12X0XrxjEiP+YtOJTw==",
        "nxnybwxayXn6/JbEw3yKFj6NXKKHHBdPyvBFzD9T+pUucLVsMDmNonkdJDvzCEs3U6SbYtZz06HqpbiYlaIWEQ==",
        "1W56u5Sd2pYMqZE0Ie2YE1naj8G/dgE1QoYTFVO+X/c=",
    ),
    "HS384": (
        "sT3ax8uVx+KnZ1Fiv2KUawhHs13VqUxa7FbuqCmxbqBx/xUoLHVZedxbiAKz0MdUPVqFRyOsaufgPBOPCJSfmg==",
        "JNKikCW/EafMPysM+PSV+iIFklZjaw4W1fwPJgO8You+erhAjwWlcEiC1VwBq9hik0gD66MfQLSlz4PN0/dB+A==",
        "RQSNydWuXMYPYwdJJj7/FJXOAUALNheqljdmiGm78ZG6P3ZhwQhtkcRIqwhPOleD",
    ),
    "HS512": (
        "wUaWUEvvPHH7sp/HCXJEj7u2xnbvTLrCp5APCMWG23UkjLEhJIdJ7LyD9llSFS5MZ4LbDn/nHi1xbb4K8tS5nw==",
        "z/3wk/bRecx0BIdmkzyC/Pvfw9UFNW3tVQDiaB5SAibOMBQnIXpV84xZL8z6YmZwOu4oXxv2JDDg4pCy0in/Jw==",
        "QQrozP+XpJuX//hhXq9stIzDMfuExiSZ1KARvusj2Yk5tQYVDohLgzeI19vgbOVkftIC6WRQWyrQAopbKZ5GDA==",
    ),
    "RS256": (
        _RSA,
        _OTHER_RSA,
        "l5xgEhzJK+vVDx6mRz0+8y9I5uo9zUQbryXK2stgEYA49/K06doZhvj26Pv6n13es7on6fTI+oSVj2gWGVRWNK6s7N/lnkwyWU8OnXhF"
        "3lgDweC1hyjK7Mb1N1rInWwJHEnUOrmvavLYssNdi4O3eE/byzVRnhvQGC8nP5rdksltuQYLxRZ+bClWKY/RI0Vmm3ZXxEktsL8KUV57"
        "T+dJAESy6bl5RVyqkC6yc6BfBgubIJWnlnwSu51EwsmynsYVNjoBEw6hs4PgYT9BP76oAe0XwpOg4JhEg6Cq+rZWSYAyWZNeJQiF7Rap"
        "uGICsM++N7fkQu6MNxFSgFDPts0tjQ==",
    ),
    "RS384": (
        _RSA,
        _OTHER_RSA,
        "BQllqYyO4ZQfV5lqZ+SKQrWUjBzIMqi0+sCYjqA6xsJNJjSxq5IodGEsLhLXw7zfViUIrjrUMPZdm8Mp4mHdRB+OTv8Pjb0wNPOrFOK/"
        "yMd6FT1VeXUuOA57JZrv2DI6qy5dGBlYkP1TqsCoNBnUHKbkOGnFkbLQnxks4SYKsvX+Xs4BtgnfjpLnfeUmWVcIUl0GCv8hPnjZpYEh"
        "8xHePq6+wkeVjwCR3LhVNYkuCTbSD8NqFYz0mHD7Dnxa2mwugY7a+RnjKNERfZJGzxo+H6eTjEYBA1Ez1daVf6/YqEQEXuxL2yEzy46z"
        "3rCnN46o7fNKzaEeal17JTcti/VxJA==",
    ),
    "RS512": (
        _RSA,
        _OTHER_RSA,
        "hpOnxLKjeETMVe9nlb4FA5zaRbXcSCDtna9r5Uj/+wqSL6Tci3z8jutHJrXKNEg6MOZeuNFS3Of7VTyCaKvSn4HL/j1KJFteoMRnr3ki"
        "J197cFpp7uC1ywkQYe5LhdQnhcPaEUi0AEcbaeHq9vn2kuyF25OP3ZpKEYHZZsT4d0YrfsoGM8Kz3H4pXm8KAsDN2dz0Vas0N2Ni7qzI"
        "g8LpPpyZu5NQ5eHytHq57zSoHiScO69mzmEddgGbJwutrax1T2zTQD8D9zFs3TQNjKsnvL0DxL7V4RhZhhytd8zuToHG9FLe+fIQdfss"
        "YND6w0mSW4T8udgwrmkDl+phyOti6A==",
    ),
    "PS256": (
        _RSA,
        _OTHER_RSA,
        "Gx6eeGSeNCkPbztf52a68OnOZ2RtT06cTK4MAtfPPqhVC/cTdIQ7FtxCBiX4q61KJ8l/+AhB/Tb41To5tQ4r+eWLSDquZsG4Uml8xpCr"
        "juXkn1DUX0rbLT+lCNBjk9si99u+2QMukwBNJS7Oi0LeBLTiQGsbN1XpodIvM8lShiQBE818gjh9C8iDc32CpA3J3aBTKW6hbRywLsCO"
        "dV+hsHKfV+PUsRT9/yMZjScwKqkJsCVQq7ZsrBoJ7FlBX8MGUBkIeGYViCEoYg7/fUjvo3xyYjKELErHozo1V5DyYC+Wiq0/bn0PJka7"
        "+0ogXomuFV7WCnhcaLsi28MCExmvvg==",
    ),
    "PS384": (
        _RSA,
        _OTHER_RSA,
        "kxlNXaJNccub1W47jNyAHNTXv2Mkwlzhss2k7A9/9B4qijGQJs1xtiPXj6+ZB/bh4zA90clIuV7OYmSmXx3v7neTLqhI7T8n1O4YmOQt"
        "zPeHNZR6eKq/ym08qDNcK39bTOVNQ+AaNfoGl3RmwsZO6X/ou9QRpdyAho2AWDtYHNBitKI6zpya3iHsH1fYsnF7es3dLXMZ2fVLHV7d"
        "sx8mDTgN3KyYWrY1rQmhym9DdK/SeQZtHKJ+BYo/mDg3OHOivsJn4oAEmrLebOQFYbX6rMAP51y9wOFrVxiKxV2jZ/kMWhm6Gd0kna52"
        "xJ3g78lCf7LovEag9KhYxnp2GXhLDA==",
    ),
    "PS512": (
        _RSA,
        _OTHER_RSA,
        "Egw6vZGyjpXNpvR8BmDVdvEl0sp8R5vYFapCs6ijViK4Pq4aGykv28FPKnuIYEis6Y49MADCktfHBSPujuD+zXFhKDuR29ICRFP9YKsR"
        "dyGaLuswxNS0Llh7s5tZ/lgLtC6l83Sj7y96ZsYWtPCPUVUY8Y1H3uuzm/aJOGWxH1mGj/2HXptwwyW2RE7XZGOnURZneHRxAfpJ3mrB"
        "3AxQYP9jApvyAaKO1MLfOeOKK+DUjukTGjKJ7+Wt/AOKdlynEP6T7hIXmIrOqWcYii3igC3VVQh2wtU9xkZ96Ib+n/mmioCa6bk+iP7t"
        "H9UTwBBgKwCA3mDw49l5egbVsdKG8w==",
    ),
    "ES256": (
        "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE2cClZWjosU1IZOD+t6kh7aGXyVYeLPY2HHdsVPOENx4W7ASjWsMo4qyDgTZiOCfJb3dr"
        "a0gEI4EMp12QN4TVHg==",
        "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEYamLyoxKHJ/d6VGqDvaiyancmfvfi/YeXV9xdvHH2tfrglofW8IcAsOOWnn4idvXvEXB"
        "llBYSLomVv/VpYPFVg==",
        "wvQQUzqzXrypKXg2jRGSjGgI2XkMXVv5W627tjRUKk816HhXmbDvgHjAT0sRUxa+qjN5I73eajwWAUfiStSQHw==",
    ),
    "ES384": (
        "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEydTH0ogk5Qcycpa27IZh/7fBH0lbuC82Di3gKgqaJTKRYHosifAjkffhTBzDeu8b8GrTIEkM"
        "LO8oivf9LZIp17GL2ImO+QMT/c3R5jFWkgM1klz8Zg5LVTItvFFlPbGH",
        "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEXQxzOIwGgEi6puwDwdQ20fE7fhO8TRcDOYcDCahGGBfSva84NmrG1YM2gLL06tZXbF33pTbr"
        "yKJuL22loRJlpOeT6wvG9SKgbIA7DnQ3YVnrYhuI1jr8KYGrRInKtQPQ",
        "GMNdsO50hzAKG8utFCqdmasA9p4TprVHit82CjyyA5guJY8/XRO5lBsJjyLY6Q0oPJxYZ/Uh7q2nQwoRXyvqwI+qciU0k+vQG9TdCJzg"
        "+an/ebuItMuHoJfgidl5N4L0",
    ),
    "ES512": (
        "MIGbMBAGByqGSM49AgEGBSuBBAAjA4GGAAQBlv1wIb3sv9bxpT7XE//hCDzfEzvlhhee48ZdvEwDeYmiy74cRH8A5hNY6xYUvKtNOMDb"
        "AAi8fGVIAlKOXxMNR80AASJR2TTic9WbJP/MDG5rPhEdv2PQxrpTRmAPd/eep3rhlRrUueax48M8c/r/bN8/DZZ9RktdqG76BS3DxpMh"
        "BK8=",
        "MIGbMBAGByqGSM49AgEGBSuBBAAjA4GGAAQAQO7+oBmbWjNZ3j8JBFQwkgB7t6GCwiz6Ury2Feu5zvQI0BNZ0nEnomtIBui1OiGyO7j3"
        "is3pzCEXpMz3/FbBBz0Bb6hjExZ6Z1JPXyoCQvBcdR1giucUIj0l+dW8SWhr594YTZy7I2jTBEylGXHDVGboK6h2G+9AJ9zMLBguuHzM"
        "kG4=",
        "AeID6iApsPNGiRnVod0It+UhuhAmt05y5j8O1n4kGVy12W6ckjkj+puak/Z+rAZECrhbn63LqfRDO9xnE0I75ZxcATuDsS6cqopuHwjl"
        "iDFDljKfay+Kt4H53w33gKisbjhN2spjzTVZ5YgMLWvKLFiBxpZjtfDVTYGq4dXYooWYCYmC",
    ),
    "ES256K": (
        "MFYwEAYHKoZIzj0CAQYFK4EEAAoDQgAEh0vme8QcgmQ1/MnKgiKFsAKsDimuQzNqf22QE4FcT21aFoNzAYvCiZzSVXsy+/EYPojY7Nwz"
        "hCoh2TZHmRXeUA==",
        "MFYwEAYHKoZIzj0CAQYFK4EEAAoDQgAEazqYDr9/YcSVKc6Mnsq/WdcZTkQau3fG4VgmTHHKnzkldkrwmOqXMRk4pSBuRIRkWvyd+djk"
        "HBDQ8J2/Hz/60w==",
        "Si8wy9aq3gX9RYOsR7u/7F6yvdIbrBz6s8kG9+DfC215ol7UWJ9TvmjjPIVpALpaNFwsnQCtwaAKN9b9K+zy/Q==",
    ),
    "Ed25519": (
        "MCowBQYDK2VwAyEATYoRPveGDx7yXZ9NdTtstAnH93zLjuW5LabYsG5cSPg=",
        "MCowBQYDK2VwAyEAmP+gBi8zM/Zjjmql/6dlgy/9g2iJ3MwObi8KfKxpMyk=",
        "MDZIcBYsTGv2gi05aI06NdFNmkNKkgFs/pS2CT7hN8tSF6BGEiC2I7Ft2RxXQxwkUTQeZzD7H+dkr0ZjF0IxDQ==",
    ),
    "Ed448": (
        "MEMwBQYDK2VxAzoAsdPI3yBiYxcJbIXABeqgHzc8IUT6L3hNHJbQE4lEx/NicSxLosVMtPiq+jtGgBpuhOx6FHTp9H2A",
        "MEMwBQYDK2VxAzoABHGF6GXGqr1YJjHsZFPsTnkUS/+StjVZVliUpmSEk4KO71FFMqiqiv9E2RS+HgjD9ZPI9oqMXfwA",
        "J9zRb5+zdS1bElYYtRONSJ7qDbJsTZi7uAkAl9FTAvhE+xEkGbEQmAmKu6G6t0i+0QXDdJiRcYAAn3uQmJAejh3j6PHNhip20/w9fsgz"
        "6hD7XKaMFapTZADehr7SPJo3Qrbp0bt1qLYQUXk/tSxKKhQA",
    ),
}
# fmt: on
