"""A tiny random Llama with a tokenizer and a chat template, as safetensors and as GGUF."""

import random
import warnings

import pytest

pytest.importorskip("torch")
pytest.importorskip("trl")
pytest.importorskip("llguidance")
pytest.importorskip("xllamacpp")
pytest.importorskip("gguf")
transformers = pytest.importorskip("transformers")

from stepdown.core.anatomy import Anatomy, Field  # noqa: E402
from stepdown.core.datasets import Example  # noqa: E402
from stepdown.core.tasks import Segment, Signature, Task, Verdict  # noqa: E402
from stepdown.students.generative.lora import LoraSettings  # noqa: E402

TOPICS = {"cards": "card pin lost", "loans": "loan rate month", "travel": "trip hotel airport"}
FILLING = ["please", "my", "the", "is", "a", "where", "how"]
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
FAST = LoraSettings(epochs=8, batch=8, rate=5e-3, rank=16, length=256)
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]


@pytest.fixture(autouse=True)
def quiet():
    """The libraries warn of their own inner workings, which no test is about."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def topics(count, seed=0):
    pick = random.Random(seed)
    rows = []
    for at in range(count):
        topic = pick.choice(list(TOPICS))
        words = [pick.choice(TOPICS[topic].split()) for _ in range(2)] + pick.sample(FILLING, 2)
        pick.shuffle(words)
        rows.append(Example(str(at), (Segment("user", " ".join(words)),), {"": topic}))
    return rows


def tickets(count, seed=0):
    """An object with a closed field, and one that no head can write."""
    return [
        Example(row.id, row.input, {"/topic": row.record[""], "/note": f"about {row.record['']}"})
        for row in topics(count, seed)
    ]


KINDS = Field("", "choice", values=tuple(TOPICS), distinct=3, count=240)
TOPIC_TASK = Task(
    "t", "topics", Signature(), Anatomy("text", (KINDS,), 240, 1, 1), Verdict("distil")
)
TICKET_FIELDS = (
    Field("/topic", "choice", values=tuple(TOPICS), distinct=3, count=240),
    Field("/note", "free", distinct=200, count=240),
)
TICKET_TASK = Task(
    "t", "tickets", Signature(), Anatomy("json", TICKET_FIELDS, 240, 1, 1), Verdict("distil")
)


def fast_tokenizer():
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=SPECIAL, show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )  # fmt: skip
    texts = [row.input[0].text + f' about "{row.record[""]}"\n' for row in topics(300)]
    made.train_from_iterator([*texts, "system user assistant Answer with these fields"], trainer)
    return made


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """A published model's folder: config, weights, tokenizer and chat template."""
    import torch

    made = tmp_path_factory.mktemp("tiny-llama")
    with warnings.catch_warnings(), torch.random.fork_rng():
        warnings.simplefilter("ignore")
        tokenizer = transformers.PreTrainedTokenizerFast(
            tokenizer_object=fast_tokenizer(),
            bos_token="<|im_start|>",
            eos_token="<|im_end|>",
            pad_token="<|im_end|>",
            unk_token="<|endoftext|>",
            chat_template=TEMPLATE,
        )
        torch.manual_seed(0)
        config = transformers.LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=64,
            intermediate_size=128,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=512,
            bos_token_id=1,
            eos_token_id=2,
            pad_token_id=2,
            tie_word_embeddings=True,
            initializer_range=0.2,
        )
        model = transformers.LlamaForCausalLM(config)
        model.save_pretrained(made)
        tokenizer.save_pretrained(made)
    return made


@pytest.fixture(scope="session")
def causal(folder):
    from stepdown.students.generative.base import load_causal
    from stepdown.students.weights import find_weights

    return load_causal(find_weights(str(folder), "generative"))


@pytest.fixture(scope="session")
def gguf_folder(folder, tmp_path_factory):
    """The same model as one GGUF file."""
    import gguf
    import numpy as np
    from safetensors.numpy import load_file

    from stepdown.students.generative.gguf_file import _renamed

    made = tmp_path_factory.mktemp("tiny-gguf")
    config = transformers.AutoConfig.from_pretrained(folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    writer = gguf.GGUFWriter(made / "tiny.gguf", "llama")
    writer.add_context_length(512)
    writer.add_embedding_length(64)
    writer.add_block_count(2)
    writer.add_feed_forward_length(128)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_dimension_count(16)
    writer.add_vocab_size(config.vocab_size)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    vocabulary = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    writer.add_token_list([token for token, _ in vocabulary])
    writer.add_token_types([3 if token in SPECIAL else 1 for token, _ in vocabulary])
    import json

    merges = json.loads((folder / "tokenizer.json").read_text())["model"]["merges"]
    writer.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in merges])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_pad_token_id(2)
    writer.add_add_bos_token(False)
    writer.add_chat_template(TEMPLATE)
    state = {
        name: _Tensor(array) for name, array in load_file(folder / "model.safetensors").items()
    }
    for name, data in _renamed(state, config).items():
        writer.add_tensor(name, np.ascontiguousarray(data, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return made


class _Tensor:
    """Just enough of a torch tensor for what was loaded without torch."""

    def __init__(self, array):
        self.array = array

    def detach(self):
        return self

    float = cpu = detach

    def numpy(self):
        return self.array


@pytest.fixture(scope="session")
def local(folder):
    from stepdown.students.generative.local import load_local

    return load_local(folder)


@pytest.fixture(scope="session")
def llama(gguf_folder):
    from stepdown.students.generative.llama import LlamaEngine

    return LlamaEngine(gguf_folder / "tiny.gguf")
