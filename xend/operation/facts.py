"""What an operation found and chose: one attrs class for each kind, which is what stands in its record."""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import attrs

from xend.stored import stored_fields
from xend.validators import any_domid, domid_or_none, texts, typed


@attrs.define(kw_only=True)
class Facts:
    """The facts that operations of every kind have; each kind's own class adds more.

    The steps of an operation read and change them.  They are recorded before each step begins, so they hold
    only what MessagePack can say, and attrs classes made of that.

    Attributes:
        KIND: the kind of operation, as the bus, the log and records have it: "domain.create".
        VERSION: of the fields.  It rises when a record of the version before can no longer be read as it is;
            `upgraded` then says what becomes of such a record.
        name, uuid: of the domain; the name is for people.
        domid: of the domain; None: it has none at present, or not yet.
        hung_scripts: devices whose script did not end in this operation: theirs is not run again.
    """

    KIND: ClassVar[str] = ""
    VERSION: ClassVar[int] = 1

    name: str = attrs.field(validator=typed(str))
    uuid: str = attrs.field(validator=typed(str))
    domid: int | None = attrs.field(default=None, validator=domid_or_none)
    hung_scripts: list[str] = attrs.field(factory=list, validator=texts)

    def as_fields(self) -> dict[str, Any]:
        """Everything of it that is stored, as MessagePack can hold it."""
        return stored_fields(self)

    def of_every_kind(self) -> "Facts":
        """Only those that operations of every kind have."""
        return Facts(name=self.name, uuid=self.uuid, domid=self.domid)

    @classmethod
    def from_fields(cls, version: int, fields: Mapping[str, Any]) -> Self:
        """The facts of a record.

        Raises:
            ValueError: the version is one that this xend does not read, or a field is missing or wrong.
        """
        if version > cls.VERSION:
            raise ValueError(
                f"its facts are of version {version}, of a newer xend; this one reads up to {cls.VERSION}"
            )
        if version < cls.VERSION:
            fields = cls.upgraded(version, fields)
        try:
            return cls(**fields)
        except TypeError as error:
            raise ValueError(f"its facts cannot be read: {error}") from error

    @classmethod
    def upgraded(cls, version: int, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """The fields of an older version as this one has them; a class whose VERSION rises says how.

        Raises:
            ValueError: a record of that version is not read.
        """
        raise ValueError(f"its facts are of version {version}; this xend reads version {cls.VERSION} only")


@attrs.define(kw_only=True)
class AnyDomainFacts(Facts):
    """The facts of an operation on a domain that lives, which may be dom0."""

    domid: int = attrs.field(validator=any_domid)

    def of_every_kind(self) -> Facts:
        return AnyDomainFacts(name=self.name, uuid=self.uuid, domid=self.domid)
