"""Credentials that are made anew for a request: Amazon's signatures, Google's access tokens. This is its front.

Each signer has `lines(method, url, body)`: the header lines that go with that request. They know no language and no
provider.
"""

from fairlead.signing.amazon import AwsSigner
from fairlead.signing.chain import AwsChainSigner, region_of
from fairlead.signing.google import GoogleSigner

__all__ = ["AwsChainSigner", "AwsSigner", "GoogleSigner", "region_of"]
