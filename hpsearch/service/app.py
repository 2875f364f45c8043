"""The service's HTTP: every route, and nothing that is not HTTP.

Routes of those who do trials run on the loop, since they only wait; those of people, which read the
database, in threads.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import Depends, FastAPI, Header, Query, Request, Response
from fastapi.responses import HTMLResponse, StreamingResponse
from fastapi.routing import APIRoute
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from hpsearch.service import models, results
from hpsearch.service.guard import REPORT_POLICY, allowed
from hpsearch.service.pages import Number, add_pages
from hpsearch.service.problems import Problem, answer_problems
from hpsearch.service.submission import SUBMISSION, keep_files, read_submission
from hpsearch.service.tokens import Asker

if TYPE_CHECKING:
    from hpsearch.service.server import Server

__all__ = ["make_app"]

Reader = Annotated[Asker, Depends(allowed("read"))]
Submitter = Annotated[Asker, Depends(allowed("submit"))]
Worker = Annotated[Asker, Depends(allowed("work"))]
AnyWorker = Annotated[Asker, Depends(allowed("work", route_checks=True))]
AnyReader = Annotated[Asker, Depends(allowed("read", route_checks=True))]
AnySubmitter = Annotated[Asker, Depends(allowed("submit", route_checks=True))]
Admin = Annotated[Asker, Depends(allowed("admin"))]
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=models.LONGEST_KEY,
        pattern=f"^{models.KEY_SIGN}+$",
        description="The same for every repetition of a request, which is then done once.",
    ),
]
Wait = Annotated[float, Query(ge=0.0, le=60.0, description="Seconds to wait for a trial.")]

DESCRIPTION = """\
Submit studies, watch them, and lend workers.

A **study** is submitted as a study file and searched by the server. Whoever lends workers **asks**
for a trial, and gets a **lease** on it: the values of its parameters, its seed, and how long the
lease lasts. **report** and **heartbeat** renew the lease, and their answers say whether to go on.
**tell** ends the trial. All of these may be repeated safely.

A study of three trials that you do yourself, from its submission to the end of the first trial:

```
URL=http://127.0.0.1:8765 TOKEN=hps_...
curl "$URL/v1/studies" -H "Authorization: Bearer $TOKEN" \\
  -H "Content-Type: application/json" -d '{"study": {"name": "mine",
  "objective": {"external": true, "metric": "loss", "direction": "minimize"},
  "search": {"strategy": "random", "trials": 3}, "space": {"x": {"low": 0.1, "high": 3.0}}}}'
curl -X POST "$URL/v1/studies/mine/trials:ask?wait=20" -H "Authorization: Bearer $TOKEN"
curl "$URL/v1/trials/17:tell" -H "Authorization: Bearer $TOKEN" \\
  -H "Content-Type: application/json" -d '{"lease": "0123...", "result": 0.25}'
```

**Tokens.** `hpsearch token add NAME --scope submit` prints one. Scopes: `read` looks; `submit` also
submits and steers studies; `work` also does their trials, and submits nothing; `admin` may do all.
A server on this machine's own address asks for none.

**Once.** A request may carry an `Idempotency-Key`, 1 to 128 printable characters of your choice.
Repeated with its key, an ask is answered with the same trial, and a trial is added once.

**Errors** are JSON as of RFC 9457 (`application/problem+json`): `detail` is a sentence that says
what was wrong and what to do; `key` and `line` say where, if it is in a study file. 401: no token
or a wrong one; 403: it does not allow this; 404: there is no such thing; 409: it does not fit what
is there; 410: the lease is no more; 422: the request is not as described; 429: too many wrong
tokens; 503: busy, try again after `Retry-After` seconds.
"""

TAGS = {
    "studies": "Studies",
    "work": "Doing trials",
    "results": "Results",
    "server": "The server",
}
"""The parts of the reference, in order, and their headings."""

PROBLEM: dict[int | str, dict[str, Any]] = {
    "4XX": {
        "description": "What was wrong, in a sentence; RFC 9457.",
        "content": {
            "application/problem+json": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "type": {"type": "string"},
                        "title": {"type": "string"},
                        "status": {"type": "integer"},
                        "detail": {"type": "string"},
                        "key": {"type": "string"},
                        "line": {"type": "integer"},
                    },
                }
            }
        },
    }
}


def make_app(server: Server, lifespan: Callable[[FastAPI], Any] | None = None) -> FastAPI:
    """The routes of a server, without what stands before them; see `Guard`.

    Args:
        server: answers.
        lifespan: of the application.
    """
    app = FastAPI(
        title="hpsearch",
        version="1",
        description=DESCRIPTION,
        lifespan=lifespan,
        responses=PROBLEM,
        docs_url=None,
        redoc_url=None,
        openapi_tags=[{"name": name, "description": told} for name, told in TAGS.items()],
        separate_input_output_schemas=False,
    )
    answer_problems(app)
    _studies(app, server)
    _trials(app, server)
    _about(app, server)
    add_pages(app, server.drawings)
    _describe_scopes(app)
    return app


def _describe_scopes(app: FastAPI) -> None:
    """Have the description of each route say what a token must allow."""
    for route in app.routes:
        if isinstance(route, APIRoute):
            scopes = (getattr(each.call, "scope", None) for each in route.dependant.dependencies)
            scope = next(filter(None, scopes), None)
            route.openapi_extra = (route.openapi_extra or {}) | {"x-scope": scope}


class _EventStream(StreamingResponse):
    media_type = "text/event-stream"


def _studies(app: FastAPI, server: Server) -> None:
    shelf = server.shelf

    @app.post(
        "/v1/studies",
        status_code=201,
        tags=["studies"],
        summary="Submit a study",
        openapi_extra={"requestBody": SUBMISSION},
        responses={200: {"description": "where it is there already", "model": models.Study}},
    )
    async def submit(request: Request, response: Response, asker: AnySubmitter) -> models.Study:
        """A study file, as TOML, as JSON, or as a form with the files that it names.

        The same study again is the one that is there; another one of its name is refused.
        """
        with tempfile.TemporaryDirectory(dir=server.uploads) as folder:
            study, options, files = await read_submission(request, Path(folder))
            if not all(map(asker.sees, filter(None, (study.name, options.get("first"))))):
                raise Problem(403, f"this token is for the study {asker.study!r} only")
            kept = await asyncio.to_thread(keep_files, files, server.uploads)
            found, is_new = await asyncio.to_thread(
                lambda: shelf.submit(study, asker.name, uploads=kept, **options)
            )
        response.status_code = 201 if is_new else 200
        return found

    @app.get("/v1/studies", tags=["studies"], summary="All studies, the latest first")
    def studies(asker: AnyReader) -> models.Studies:
        """Those that others have run in this database too, which cannot be steered from here."""
        return models.Studies(studies=[server.live(s) for s in shelf.studies(asker.study)])

    @app.get("/v1/studies/{name}", tags=["studies"], summary="A study")
    def study(name: str, asker: Reader) -> models.Study:
        """Its state and why, its trials by state, its best value, and how long it still takes."""
        return server.live(shelf.study(name))

    @app.delete("/v1/studies/{name}", status_code=204, tags=["studies"], summary="Delete a study")
    def delete(name: str, asker: Admin) -> None:
        """With all that is known of it; whoever works for it is told to stop."""
        shelf.delete(name)

    @app.post("/v1/studies/{name}:pause", tags=["studies"], summary="Give out no more trials")
    def pause(name: str, asker: Submitter) -> models.Study:
        """Those that somebody has are done to their end."""
        return shelf.steer(name, "paused", asker.name)

    @app.post("/v1/studies/{name}:resume", tags=["studies"], summary="Go on with a study")
    def resume(name: str, asker: Submitter) -> models.Study:
        """One that was paused or stopped, or that failed."""
        return shelf.steer(name, "queued", asker.name)

    @app.post("/v1/studies/{name}:stop", tags=["studies"], summary="End a study")
    def stop(name: str, asker: Submitter) -> models.Study:
        """Whoever has one of its trials is told to stop; what is finished is kept."""
        return shelf.steer(name, "stopped", asker.name)

    @app.post("/v1/studies/{name}:extend", tags=["studies"], summary="More trials in all")
    def extend(name: str, body: models.Extension, asker: Submitter) -> models.Study:
        """A study that is finished goes on, as if it had had this number from the beginning."""
        return shelf.extend(name, body.trials, asker.name)

    @app.post("/v1/studies/{name}:rank", tags=["studies"], summary="Another priority")
    def rank(name: str, body: models.Rank, asker: Submitter) -> models.Study:
        """Or another number of trials at the same time."""
        return shelf.rank(name, body.priority, body.max_parallel)

    @app.get("/v1/studies/{name}/trials", tags=["studies"], summary="Trials of a study")
    def trials(
        name: str,
        asker: Reader,
        since: Annotated[
            int,
            Query(ge=0, le=models.LARGEST, description="What the last answer said; 0 at first."),
        ] = 0,
        limit: Annotated[int, Query(ge=1, le=1000)] = 1000,
    ) -> models.Trials:
        """Those that may have changed since; follow pages while `more` is true."""
        return shelf.trials(name, since, limit)

    @app.get("/v1/studies/{name}/running", tags=["studies"], summary="Trials under way")
    def running(name: str, asker: Reader) -> models.Trials:
        """Those that somebody has just now, with their values so far; 1,000 at most."""
        return shelf.running(name)

    @app.get(
        "/v1/studies/{name}/trials/{number}", tags=["studies"], summary="A trial by its number"
    )
    def numbered(name: str, number: Number, asker: Reader) -> models.Trial:
        """As lists and pages number them; other requests name a trial by its id."""
        return shelf.numbered(name, number)

    @app.post("/v1/studies/{name}/trials", status_code=201, tags=["studies"], summary="Add a trial")
    def add(name: str, body: models.Added, asker: Submitter, key: Key = None) -> models.Trial:
        """One that was finished elsewhere, or a configuration to be tried first."""
        asked = None if key is None else models.own_key(asker.name, key)
        return shelf.add(name, body, asker.name, asked)

    @app.get("/v1/studies/{name}/best", tags=["results"], summary="What a study came to")
    def best(name: str, asker: Reader) -> dict[str, Any]:
        """As `hpsearch best --json`: its winner, its stages and the figures of the test."""
        return results.best(shelf, name)

    @app.get("/v1/studies/{name}/advice", tags=["results"], summary="What to run next")
    def advice(name: str, asker: Reader) -> dict[str, Any]:
        """As `hpsearch advise --json`."""
        return results.advice(shelf, name)

    @app.get(
        "/v1/studies/{name}/export",
        tags=["results"],
        summary="The trials as a table",
        response_class=Response,
        responses={200: {"content": {"text/csv": {}, "application/vnd.apache.parquet": {}}}},
    )
    def export(
        name: str, asker: Reader, to: Annotated[Literal["csv", "parquet"], Query()] = "csv"
    ) -> Response:
        """A row for each trial: its state, its score, its parameters, and what is known of it."""
        content, kind = results.export(shelf, name, to)
        return Response(content, media_type=kind)

    @app.get(
        "/v1/studies/{name}/report",
        tags=["results"],
        summary="The report, as one page",
        response_class=HTMLResponse,
    )
    def report(name: str, asker: Reader) -> HTMLResponse:
        """As `hpsearch report`: a file that needs nothing else."""
        headers = {"Content-Security-Policy": REPORT_POLICY}
        return HTMLResponse(results.report(shelf, name), headers=headers)

    @app.get(
        "/v1/studies/{name}/events",
        tags=["studies"],
        summary="What happens, as it does",
        response_class=_EventStream,
    )
    async def events(name: str, asker: Reader) -> _EventStream:
        """Server-sent events: `trial` where some have changed, `study` where its state has."""
        await asyncio.to_thread(shelf.study, name)
        return _EventStream(server.events.follow(name, asker.name))

    @app.get(
        "/v1/events",
        tags=["studies"],
        summary="What happens to all studies",
        response_class=_EventStream,
    )
    async def all_events(asker: AnyReader) -> _EventStream:
        """Server-sent events, as those of one study; `study` in them says of which."""
        return _EventStream(server.events.follow(asker.study, asker.name))


def _trials(app: FastAPI, server: Server) -> None:
    shelf, verbs = server.shelf, server.verbs

    @app.post("/v1/studies/{name}/trials:ask", tags=["work"], summary="Ask for a trial of a study")
    async def ask_of(
        name: str,
        asker: Worker,
        body: models.Ask | None = None,
        wait: Wait = 0.0,
        key: Key = None,
    ) -> models.Asked:
        """A trial and a lease on it; or none, and when to ask again. Repeat it with its key."""
        return await verbs.ask(asker, body or models.Ask(), name, wait, key)

    @app.post("/v1/trials:ask", tags=["work"], summary="Ask for a trial of any study")
    async def ask(
        asker: AnyWorker, body: models.Ask | None = None, wait: Wait = 0.0, key: Key = None
    ) -> models.Asked:
        """Of the study of the highest priority that has one; among equals, shares are fair."""
        return await verbs.ask(asker, body or models.Ask(), None, wait, key)

    @app.get("/v1/trials/{trial}", tags=["studies"], summary="A trial")
    def trial_of(trial: str, asker: AnyReader) -> models.Trial:
        """What was tried, who has it or had it, its values on the way, and what came of it."""
        study, found = shelf.trial(trial)
        if not asker.sees(study):
            raise Problem(404, f"there is no trial {trial!r}")
        return found

    @app.post("/v1/trials/{trial}:heartbeat", tags=["work"], summary="A sign of life")
    async def heartbeat(trial: str, body: models.Beat, asker: AnyWorker) -> models.Orders:
        """It renews the lease. The answer says whether to go on, and when to send the next one."""
        return await verbs.heartbeat(asker, trial, body)

    @app.post("/v1/trials/{trial}:report", tags=["work"], summary="A value on the way")
    async def report(trial: str, body: models.Report, asker: AnyWorker) -> models.Orders:
        """It renews the lease as a heartbeat does, and is answered as one."""
        return await verbs.report(asker, trial, body)

    @app.post("/v1/trials/{trial}:tell", tags=["work"], summary="The end of a trial")
    async def tell(trial: str, body: models.Tell, asker: AnyWorker) -> models.Told:
        """Kept once, however often it is told; late is better than never."""
        return await verbs.tell(asker, trial, body)

    @app.post(
        "/v1/trials/{trial}:release", status_code=204, tags=["work"], summary="Give a trial back"
    )
    async def release(trial: str, body: models.Release, asker: AnyWorker) -> None:
        """It waits for another, and no attempt is counted."""
        await verbs.release(asker, trial, body)

    @app.post("/v1/trials/{trial}:retry", tags=["studies"], summary="Try a failed slot again")
    def retry(trial: str, asker: AnySubmitter) -> models.Study:
        """A new trial of the same slot, with the same seed; the failed one is kept."""
        study, found = shelf.trial(trial)
        if not asker.sees(study):
            raise Problem(404, f"there is no trial {trial!r}")
        return shelf.retry(study, found, asker.name)

    @app.get(
        "/v1/data/{fingerprint}",
        tags=["work"],
        summary="The data of a training",
        response_class=Response,
        responses={200: {"content": {"application/zip": {}}}},
    )
    def data(
        fingerprint: str,
        asker: AnyWorker,
        known: Annotated[str | None, Header(alias="If-None-Match")] = None,
    ) -> Response:
        """A zip of arrays, for those who train as hpsearch does."""
        return server.data(fingerprint, known, asker.study)


def _about(app: FastAPI, server: Server) -> None:
    @app.get("/v1/server", tags=["server"], summary="This server")
    def about(asker: AnyReader) -> dict[str, Any]:
        """Versions, and in `you` the name and the scope of the token that asks."""
        you = {"name": asker.name, "scope": asker.scope, "study": asker.study}
        return server.about() | {"you": you}

    @app.get("/v1/agents", tags=["server"], summary="Who lends workers")
    def agents(asker: Reader) -> list[dict[str, Any]]:
        """This server's own workers and agents that asked within an hour, with what they do."""
        return server.roll.agents()

    @app.post("/v1/agents/{agent}:drain", tags=["server"], summary="Have an agent end")
    def drain(agent: str, asker: Admin) -> dict[str, Any]:
        """It finishes what it has, and asks no more."""
        return server.roll.drain(agent)

    @app.get("/metrics", tags=["server"], summary="Figures for Prometheus")
    def metrics(asker: Reader) -> Response:
        """Studies, trials, agents, requests and more, in Prometheus's text format."""
        return Response(server.metrics.text(), media_type=CONTENT_TYPE_PLAIN_0_0_4)

    @app.get("/healthz", include_in_schema=False)
    async def healthz() -> Response:
        return Response("ok\n", media_type="text/plain")

    @app.get("/readyz", include_in_schema=False)
    def readyz() -> Response:
        why = server.why_not_ready()
        status = 503 if why else 200
        return Response(f"{why or 'ready'}\n", status, media_type="text/plain")
