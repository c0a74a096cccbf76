"""From the transfers of a workspace to a judged ranking of its accounts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa

from features.company import Company
from features.progress import Progress, silent
from features.transfers.settings import TypologySettings
from features.workspace import Workspace, staged, write_json
from training.cases.encoder import Encoder, fit_encoder
from training.cases.model import RULES, CaseModel, fit_parts
from training.cases.settings import CaseSettings
from training.laundering.accounts import Accounts, read_accounts
from training.laundering.budget import Array
from training.laundering.judge import CANDIDATES, Judgement, judge, kinds_of
from training.laundering.settings import RankSettings
from training.manifest import write_manifest

TASK = "laundering"
MODEL, JUDGEMENT = "model", "judgement.json"


@dataclass(frozen=True)
class Learnt:
    """scores: candidate → what it gave every account in the judging folds; digest: of the manifest of the model."""

    source: str
    title: str
    as_of: date
    accounts: Accounts
    judgement: Judgement
    scores: Mapping[str, Array]
    model: CaseModel
    digest: str


def learn(
    workspace: Workspace, company: Company, source: str, title: str, as_of: date, typologies: TypologySettings,
    settings: RankSettings, fit: CaseSettings, progress: Progress = silent,
) -> Learnt:  # fmt: skip
    """Judge all candidates and refit the chosen one on all accounts; with too few reports the rules rank.

    Leaves in `workspace.laundering_model`, all or nothing, the folder `model` (model.json and native files of its
    parts, with a manifest) and judgement.json: nothing of any one account. Raises InputError without transfers.
    """
    accounts = read_accounts(workspace.tables, company, as_of, typologies)
    judgement, scores = judge(accounts, settings, fit, progress)
    model = _refitted(accounts, source, as_of, judgement, fit)
    with staged(workspace.laundering_model) as folder:
        (folder / MODEL).mkdir()
        model.save(folder / MODEL)
        digest = write_manifest(folder / MODEL)
        write_json(folder / JUDGEMENT, judgement.to_json())
    return Learnt(source, title, as_of, accounts, judgement, scores, model, digest)


def _refitted(accounts: Accounts, source: str, as_of: date, judgement: Judgement, fit: CaseSettings) -> CaseModel:
    about = {
        "source": source,
        "task": TASK,
        "rung": RULES if judgement.abstains else judgement.chosen,
        "abstains": judgement.abstains,
        "as_of": as_of.isoformat(),
        "accounts": judgement.accounts,
        "reported": judgement.reported,
    }
    if judgement.abstains:
        return CaseModel(about, Encoder({}, {}, {}), {})
    encoder = fit_encoder(accounts.table, kinds_of(accounts), fit.rare)
    matrix = encoder.matrix(accounts.table)
    return CaseModel(about, encoder, fit_parts(CANDIDATES[judgement.chosen], encoder, matrix, accounts.reported, fit))


def rank(model: CaseModel, accounts: Accounts) -> pa.Table:
    """customer_id and score of every account, the most suspicious first: confidential, for the role aml alone.

    score: the share of accounts that are less suspicious, those equal to it counting half, so from 0 to 1: comparable
    whatever ranks, the model or the rules.
    """
    score = model.log_odds(accounts.table) if model.parts else accounts.rules
    _, place, many = np.unique(score, return_inverse=True, return_counts=True)
    below = np.cumsum(many) - many
    share = (below + many / 2)[place] / len(score)
    return pa.table({"customer_id": accounts.ids, "score": share}).sort_by(
        [("score", "descending"), ("customer_id", "ascending")]
    )
