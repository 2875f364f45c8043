"""Who else runs the studies of a database."""

from __future__ import annotations

import os

import optuna
from guarded import Clock

from hpsearch.engine.processes import machine_here, process_identity
from hpsearch.service.leaders import Leaders
from hpsearch.storage import WriteBehindStorage
from hpsearch.storage.own_tables import own_tables


def hold(storage: WriteBehindStorage, name: str, machine: str, process: str) -> None:
    study = optuna.create_study(storage=storage, study_name=name)
    storage.flush()
    about = {"machine": machine, "process": process, "host": "there", "started": "", "beats": 0}
    row = about | {"run": name, "study_id": study._study_id, "seconds": 0.0}
    with storage.transaction() as connection:
        connection.execute(own_tables().runs.insert().values(row))


def test_a_study_is_elsewhere_while_its_driver_gives_signs_of_life(
    storage: WriteBehindStorage, clock: Clock
) -> None:
    here, me = machine_here(), process_identity(os.getpid())
    hold(storage, "mine", here, me)
    hold(storage, "dead", here, "1:0")
    hold(storage, "near", here, process_identity(os.getppid()))
    hold(storage, "far", "far", "7:1")
    server = {"server": "s", "url": "http://far:8765", "host": "far", "started": "", "beats": 0}
    runs = own_tables().runs
    with storage.transaction() as connection:
        at = {"machine": "far", "process": "7:1"}
        connection.execute(own_tables().servers.insert().values(server | at))
    leaders = Leaders(clock)

    def look() -> dict[str, str]:
        with storage.connection.reading() as connection:
            return dict(leaders.look(connection))

    near = {"near": f"process {os.getppid()} on there"}
    assert look() == near | {"far": "the server at http://far:8765"} == leaders.known
    clock.seconds += 8.0
    with storage.transaction() as connection:
        connection.execute(runs.update().where(runs.c.run == "far").values(beats=1))
    assert "far" in look()
    clock.seconds += 8.0
    assert "far" in look()
    clock.seconds += 8.0
    assert look() == near
    with storage.transaction() as connection:
        connection.execute(runs.update().values(ended="finished"))
    assert look() == {}
