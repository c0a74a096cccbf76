"""Servers to be measured beside ours: an echo, and what a tutorial would write."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import uvicorn
from fastapi import FastAPI, Request, Response

ANSWER, MODELS = "BENCH_ANSWER", "BENCH_MODELS"


def echo() -> FastAPI:
    """Answers the bytes of our own answer to whatever it is asked."""
    app, answer = FastAPI(), Path(os.environ[ANSWER]).read_bytes()

    @app.post("/v1/score/{customer_id}")
    async def score(customer_id: str, request: Request) -> Response:
        await request.body()
        return Response(answer, media_type="application/json")

    return app


def naive() -> FastAPI:
    """A data frame of one row, and one pyfunc after the other."""
    import mlflow

    app = FastAPI()
    models = {path.name: mlflow.pyfunc.load_model(str(path)) for path in sorted(Path(os.environ[MODELS]).iterdir())}

    @app.post("/score")
    def score(features: dict[str, float | None]) -> dict[str, dict[str, float | None]]:
        frame = pd.DataFrame([features]).astype(float)
        answers = {name: model.predict(frame).iloc[0].to_dict() for name, model in models.items()}
        return {name: {k: None if pd.isna(v) else v for k, v in each.items()} for name, each in answers.items()}

    return app


def run(app: FastAPI, port: int) -> None:
    """With the settings of `scoring serve`."""
    uvicorn.run(app, host="127.0.0.1", port=port, access_log=False, log_level="warning", server_header=False)


if __name__ == "__main__":
    import sys

    run({"echo": echo, "naive": naive}[sys.argv[1]](), int(sys.argv[2]))
