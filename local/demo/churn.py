"""Changes links, images and registrations at random, some of them while Typesense is down."""

import random
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from local.checker import Ref
from local.data import Item, links, registry
from local.demo.agreement import until_agreed
from local.demo.scene import Fleet, Scene, now
from local.demo.settle import until_documents

BEFORE, MEANWHILE, AFTER = 100, 200, 50  # changes before, while and after Typesense is down
_SEED: Final = 5
_EVERY: Final = 10  # changes for each change of a product, which only OpenSearch has


def run(scene: Scene) -> None:
    """Make changes of every kind, and see that other sinks keep up while Typesense is down.

    Typesense catches up during the next step; the last step compares it.
    """
    churn = Churn(scene)
    typesense = scene.stack.typesense
    churn.make(BEFORE)
    if scene.with_typesense:
        typesense.stop()
        scene.screen.say(f"Typesense stopped after {BEFORE} changes; they go on")
    else:
        scene.screen.say("Typesense is left out on this machine")
    churn.make(MEANWHILE)
    until_documents(scene.documents, churn.products.items())
    until_agreed(scene, typesense=False)
    scene.screen.good(
        f"{MEANWHILE} changes later OpenSearch, counters and default images are right without it"
    )
    scene.screen.say(f"{scene.desk.parked()} messages of parked keys")
    if scene.with_typesense:
        typesense.start()
        scene.screen.say(
            f"Typesense started again; {AFTER} more changes. It catches up during the next step"
        )
    churn.make(AFTER)
    made = ", ".join(f"{count} {what}" for what, count in churn.made.most_common())
    scene.screen.say(f"all in all: {made}")


class Churn:
    """Random changes to a fleet, the same in every run."""

    def __init__(self, scene: Scene) -> None:
        self.made: Counter[str] = Counter()
        self.products: dict[Ref, Any] = {}  # the documents that the changes should give
        self._scene = scene
        self._fleet: Fleet = scene.fleet
        self._dice = random.Random(_SEED)  # noqa: S311 - data, not secrets
        self._kinds: list[tuple[str, Callable[[], None]]] = [
            ("images added", self._add_image),
            ("images removed", self._remove_image),
            ("default images removed", self._remove_default),
            ("entities left without images", self._remove_album),
            ("links moved", self._move_link),
            ("links moved five times at once", self._move_link_on),
            ("links removed", self._remove_link),
            ("aircraft sold", self._sell),
            ("registrations removed", self._deregister),
            ("registrations removed and made again", self._reregister),
        ]

    def make(self, count: int) -> None:
        """Make *count* changes, one after the other."""
        for number in range(count):
            what, change = self._dice.choice(self._kinds)
            change()
            self.made[what] += 1
            if number % _EVERY == 0:
                self._touch_product()

    def _touch_product(self) -> None:
        product = self._dice.choice(list(self._scene.products.values()))
        product["price"] += Decimal("0.01")
        product["updated_at"] = now()
        ref, document = self._scene.tables.put(product)
        self.products[ref] = document

    def _add_image(self) -> None:
        """To any aircraft, with or without images."""
        mark = self._dice.choice(list(self._fleet.registrations))
        image = self._fleet.camera.of_registration("SYSTEM", mark)
        self._fleet.images.setdefault(image["PK"], []).append(image)
        self._scene.tables.write(image)

    def _remove_image(self) -> None:
        album = self._album()
        self._remove(album.pop(self._dice.randrange(len(album))), album)

    def _remove_default(self) -> None:
        """Remove the image that the default row names now, or the newest one if there is no row."""
        album = self._album()
        shown = self._scene.tables.get({"PK": album[0]["PK"], "SK": "DEFAULT"}).get("image")
        image = next((image for image in album if image["SK"] == shown), album[-1])
        album.remove(image)
        self._remove(image, album)

    def _remove_album(self) -> None:
        album = self._album()
        while album:
            self._remove(album.pop(), album)

    def _album(self) -> list[Item]:
        return self._dice.choice(list(self._fleet.images.values()))

    def _remove(self, image: Item, album: list[Item]) -> None:
        self._scene.tables.remove(image)
        if not album:
            del self._fleet.images[image["PK"]]

    def _move_link(self) -> None:
        link = links.moved(self._dice.choice(list(self._fleet.links.values())), self._dice)
        self._fleet.links[link["SK"]] = link
        self._scene.tables.write(link)

    def _move_link_on(self) -> None:
        link = self._dice.choice(list(self._fleet.links.values()))
        for _ in range(5):
            link = links.moved(link, self._dice)
            self._scene.tables.write(link)
        self._fleet.links[link["SK"]] = link

    def _remove_link(self) -> None:
        self._scene.tables.remove(self._fleet.links.pop(self._dice.choice(list(self._fleet.links))))

    def _sell(self) -> None:
        mark = self._dice.choice(list(self._fleet.registrations))
        sold = registry.sold(self._fleet.registrations[mark], self._dice)
        self._fleet.registrations[mark] = sold
        self._scene.tables.write(sold)

    def _deregister(self) -> None:
        """Remove a registration; its images stay."""
        mark = self._dice.choice(list(self._fleet.registrations))
        self._scene.tables.remove(self._fleet.registrations.pop(mark))

    def _reregister(self) -> None:
        mark = self._dice.choice(list(self._fleet.registrations))
        item = self._fleet.registrations[mark]
        self._scene.tables.remove(item)
        self._fleet.registrations[mark] = registry.sold(item, self._dice)
        self._scene.tables.write(self._fleet.registrations[mark])
