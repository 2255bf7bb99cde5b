"""Tiny random encoders of the four architectures, saved as published models are, and a task."""

import random
import warnings

import pytest

pytest.importorskip("torch")
pytest.importorskip("onnxscript")
pytest.importorskip("tokenizers")
transformers = pytest.importorskip("transformers")

from stepdown.core.anatomy import Anatomy, Field  # noqa: E402
from stepdown.core.datasets import Example  # noqa: E402
from stepdown.core.tasks import Segment, Signature, Task, Verdict  # noqa: E402
from stepdown.students.tuned.settings import Settings  # noqa: E402

TOPICS = {"cards": "card pin lost", "loans": "loan rate month", "travel": "trip hotel airport"}
CITIES = ["rome", "oslo", "lima", "cairo", "delhi", "quito"]
FILLING = ["please", "my", "the", "is", "a", "where", "how"]
ARCHITECTURES = ("bert", "distilbert", "deberta-v2", "modernbert")
FAST = Settings(epochs=6, batch=16, rate=2e-3, head_rate=1e-2, held=0.25, device="cpu")


@pytest.fixture(autouse=True)
def quiet():
    """The libraries warn of their own inner workings, which no test is about."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def tokenizer():
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    words = [*FILLING, *" ".join(TOPICS.values()).split(), *CITIES, "fly", "to", "from"]
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *words]
    pieces += [letter for letter in letters if letter not in pieces]
    pieces += [f"##{letter}" for letter in letters]
    made = Tokenizer(models.WordPiece({p: at for at, p in enumerate(pieces)}, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return made


def config_of(kind, size):
    usual = {
        "vocab_size": size,
        "hidden_size": 32,
        "num_attention_heads": 2,
        "num_hidden_layers": 2,
        "intermediate_size": 64,
        "max_position_embeddings": 300,
        "pad_token_id": 0,
    }
    if kind == "bert":
        return transformers.BertConfig(**usual)
    if kind == "distilbert":
        return transformers.DistilBertConfig(
            vocab_size=size, dim=32, n_heads=2, n_layers=2, hidden_dim=64,
            max_position_embeddings=300,
        )  # fmt: skip
    if kind == "deberta-v2":
        return transformers.DebertaV2Config(
            **usual, relative_attention=True, pos_att_type=["p2c", "c2p"], position_buckets=16,
            norm_rel_ebd="layer_norm", share_att_key=True, position_biased_input=False,
            type_vocab_size=0,
        )  # fmt: skip
    return transformers.ModernBertConfig(
        **usual, cls_token_id=2, sep_token_id=3, bos_token_id=2, eos_token_id=3,
        local_attention=16, global_attn_every_n_layers=2,
    )  # fmt: skip


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    """A published model's folder for each architecture: config, weights and tokenizer."""
    import torch

    made = {}
    for kind in ARCHITECTURES:
        made[kind] = tmp_path_factory.mktemp(kind)
        pieces = tokenizer()
        with torch.random.fork_rng(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.manual_seed(0)
            model = transformers.AutoModel.from_config(config_of(kind, pieces.get_vocab_size()))
            model.save_pretrained(made[kind])
        pieces.save(str(made[kind] / "tokenizer.json"))
    return made


@pytest.fixture(scope="session")
def folder(folders):
    return folders["bert"]


def topics(count, seed=0):
    pick = random.Random(seed)
    rows = []
    for at in range(count):
        topic = pick.choice(list(TOPICS))
        words = [pick.choice(TOPICS[topic].split()) for _ in range(2)] + pick.sample(FILLING, 3)
        pick.shuffle(words)
        rows.append(Example(str(at), (Segment("user", " ".join(words)),), {"": topic}))
    return rows


def trips(count, seed=0):
    pick = random.Random(seed)
    rows = []
    for at in range(count):
        start, end = pick.sample(CITIES, 2)
        turns = ["fly from {0} to {1}", "please fly to {1} from {0}", "to {1} is a trip from {0}"]
        text = pick.choice(turns).format(start, end)
        record = {"/from": start, "/to": end, "/kind": "trip" if "trip" in text else "flight"}
        rows.append(Example(str(at), (Segment("user", text),), record))
    return rows


KINDS = Field("", "choice", values=tuple(TOPICS), distinct=3, count=240)
TOPIC_TASK = Task(
    "t", "topics", Signature(), Anatomy("text", (KINDS,), 240, 1, 1), Verdict("distil")
)
TRIP_FIELDS = (
    Field("/from", "copy", distinct=6, count=240, aligned=1.0, normaliser="verbatim"),
    Field("/to", "copy", distinct=6, count=240, aligned=1.0, normaliser="verbatim"),
    Field("/kind", "choice", values=("flight", "trip"), distinct=2, count=240),
)
TRIP_TASK = Task(
    "t", "trips", Signature(), Anatomy("json", TRIP_FIELDS, 240, 1, 1), Verdict("distil")
)


@pytest.fixture(scope="session")
def taught():
    """What there is to learn of the trips: rows, heads and word-level span models."""
    from stepdown.core.ports import silent
    from stepdown.students.tuned.training import _lessons

    return _lessons(TRIP_TASK, trips(120), FAST, silent)


@pytest.fixture(scope="session")
def cutter(folder):
    from stepdown.students.tuned.windows import Cutter

    return Cutter((folder / "tokenizer.json").read_bytes())


@pytest.fixture(scope="session")
def lessons(taught, cutter):
    from stepdown.students.tuned.design import lessons_of

    return lessons_of(taught.design, taught.rows, taught.targets, taught.spans, cutter)


@pytest.fixture
def network(folder, taught):
    import torch

    from stepdown.students.tuned.base import load_base
    from stepdown.students.tuned.network import Network
    from stepdown.students.weights import find_weights

    base = load_base(find_weights(str(folder)))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Network(base.encoder, taught.design, taught.spans)
