"""A bill of materials (CycloneDX, JSON) of what the product brings along when it is installed from its lock."""

from collections.abc import Iterable, Mapping
from importlib.metadata import Distribution

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from audit.licences import Licence
from audit.locks import Pin


def bill(
    product: Distribution, pins: Iterable[Pin], found: Mapping[str, Distribution], licences: Mapping[str, Licence]
) -> str:
    """`found`: what is installed, by name. What is pinned for other systems alone is in it, too, without a licence."""
    make = LicenseFactory()
    root = Component(name="fairlead", version=product.version, type=ComponentType.APPLICATION, bom_ref="fairlead")
    root.licenses.add(make.make_from_string("Apache-2.0"))
    parts: dict[str, Component] = {}
    for pin in pins:
        part = Component(
            name=pin.name,
            version=pin.version,
            type=ComponentType.LIBRARY,
            purl=PackageURL("pypi", name=pin.name, version=pin.version),
            bom_ref=f"{pin.name}=={pin.version}",
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=hash) for hash in pin.hashes],
        )
        if (licence := licences.get(pin.name)) and licence.expression:
            part.licenses.add(make.make_from_string(licence.expression))
        parts[pin.name] = part
    bom = Bom(components=parts.values())
    bom.metadata.component = root
    bom.register_dependency(root, [parts[name] for name in _needs(product) if name in parts])
    for name, part in parts.items():
        needs = _needs(found[name]) if name in found else ()
        bom.register_dependency(part, [parts[one] for one in needs if one in parts])
    return JsonV1Dot6(bom).output_as_string(indent=1)


def is_valid(text: str) -> bool:
    """By CycloneDX's own schema."""
    return JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None


def _needs(distribution: Distribution) -> list[str]:
    return sorted({canonicalize_name(Requirement(text).name) for text in distribution.requires or ()})
