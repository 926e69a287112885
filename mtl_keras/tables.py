"""Tables of what there is to choose from, each member imported when it is first asked for."""

from collections.abc import Iterator, Mapping, MutableMapping
from difflib import get_close_matches
from importlib import import_module
from types import MappingProxyType

from mtl_keras.errors import UserError


class Table(MutableMapping):
    """Members by name, given by the place of each: "package.module:NAME".

    So a list of names, and the help of a command, need no import of what they name. `what` says in messages what is
    chosen here; asking for an unknown name is a `UserError` that lists the known ones. A member of one's own is added
    as in any mapping. `families` are beginnings of names, each with the place of the function that makes a member of
    what follows: they are no members themselves.
    """

    def __init__(self, what: str, places: dict[str, str], families: Mapping[str, str] = MappingProxyType({})):
        self.what, self.families, self._places, self._members = what, families, dict(places), {}

    def check(self, name: str) -> None:
        """Refuse an unknown name."""
        if name not in self:
            near = get_close_matches(str(name), self._places, 1)
            meant = f"; did you mean {near[0]}?" if near else ""
            known = ", ".join([*self._places, *(f"{family}NAME" for family in self.families)])
            raise UserError(f"unknown {self.what} {name!r}; expected one of {known}{meant}")

    def __getitem__(self, name: str) -> object:
        self.check(name)
        if name not in self._places:
            family = self._family(name)
            return imported(self.families[family])(name.removeprefix(family))
        if name not in self._members:
            self._members[name] = imported(self._places[name])
        return self._members[name]

    def _family(self, name: object) -> str | None:
        return next((family for family in self.families if isinstance(name, str) and name.startswith(family)), None)

    def get(self, name: str, default: object = None) -> object:
        """Return a member, or the default where there is none of this name."""
        # Not as Mapping has it, which waits for a KeyError.
        if name in self:
            return self[name]
        return default

    def is_own(self, name: str) -> bool:
        """Return whether a member of this name was added by the user."""
        return self._places.get(name) == ""

    def __setitem__(self, name: str, member: object) -> None:
        self._places[name], self._members[name] = "", member

    def __delitem__(self, name: str) -> None:
        del self._places[name]
        self._members.pop(name, None)

    def __contains__(self, name: object) -> bool:
        return name in self._places or self._family(name) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


def imported(place: str) -> object:
    """Return what stands at a place "package.module:NAME", or the module itself without a name."""
    module, _, name = place.partition(":")
    found = import_module(module)
    return vars(found)[name] if name else found
