"""A tiny random BERT with a tokenizer, as a published model's folder, and a small task."""

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")
tokenizers = pytest.importorskip("tokenizers")

HIDDEN, HEADS, LAYERS, WIDE, PLACES = 16, 2, 2, 32, 300
TOPICS = ["card", "pin", "lost", "loan", "rate", "month", "trip", "hotel", "airport"]
WORDS = [*TOPICS, "please", "my", "the", "is", "a", "where", "how"]
CONFIG = {
    "model_type": "bert",
    "architectures": ["BertModel"],
    "hidden_size": HIDDEN,
    "num_attention_heads": HEADS,
    "num_hidden_layers": LAYERS,
    "intermediate_size": WIDE,
    "max_position_embeddings": PLACES,
    "type_vocab_size": 2,
    "layer_norm_eps": 1e-12,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}


def tensors(vocabulary):
    random = np.random.default_rng(0)

    def weight(*shape):
        return (random.standard_normal(shape) * 0.3).astype(np.float32)

    made = {
        "embeddings.word_embeddings.weight": weight(vocabulary, HIDDEN),
        "embeddings.position_embeddings.weight": weight(PLACES, HIDDEN) * 0.1,
        "embeddings.token_type_embeddings.weight": weight(2, HIDDEN),
    }
    shapes = {
        "attention.self.query": (HIDDEN, HIDDEN),
        "attention.self.key": (HIDDEN, HIDDEN),
        "attention.self.value": (HIDDEN, HIDDEN),
        "attention.output.dense": (HIDDEN, HIDDEN),
        "intermediate.dense": (WIDE, HIDDEN),
        "output.dense": (HIDDEN, WIDE),
    }
    for at in range(LAYERS):
        for name, shape in shapes.items():
            made[f"encoder.layer.{at}.{name}.weight"] = weight(*shape)
            made[f"encoder.layer.{at}.{name}.bias"] = weight(shape[0])
    norms = ["embeddings.LayerNorm"]
    norms += [
        f"encoder.layer.{at}.{part}.LayerNorm"
        for at in range(LAYERS)
        for part in ("attention.output", "output")
    ]
    for name in norms:
        made[f"{name}.weight"] = 1 + weight(HIDDEN)
        made[f"{name}.bias"] = weight(HIDDEN)
    return made


def tokenizer():
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS]
    pieces += [letter for letter in letters if letter not in pieces]
    pieces += [f"##{letter}" for letter in letters]
    vocabulary = {piece: at for at, piece in enumerate(pieces)}
    made = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return made


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """A model's folder: config.json, model.safetensors and tokenizer.json."""
    made = tmp_path_factory.mktemp("tiny-bert")
    pieces = tokenizer()
    size = pieces.get_vocab_size()
    (made / "config.json").write_text(json.dumps(CONFIG | {"vocab_size": size}))
    save_file(tensors(size), made / "model.safetensors")
    pieces.save(str(made / "tokenizer.json"))
    return made


@pytest.fixture(scope="session")
def session(folder):
    from stepdown.students.encoder.training import session_of

    return session_of(str(folder))
