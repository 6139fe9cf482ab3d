"""The tokenizer of the tiny VLM: one token per character, a few special ones, and its chat template."""

from __future__ import annotations

from tokenizers import Tokenizer, decoders, models
from transformers import PreTrainedTokenizerFast

PAD, BOS, EOS, UNKNOWN = "<|endoftext|>", "<|im_start|>", "<end_of_utterance>", "<unk>"
AROUND_IMAGE, IMAGE, GLOBAL_IMAGE = "<fake_token_around_image>", "<image>", "<global-img>"
SPECIAL = (PAD, BOS, EOS, AROUND_IMAGE, IMAGE, GLOBAL_IMAGE, UNKNOWN)
CHARACTERS = tuple(
    sorted({*map(chr, range(32, 127)), "\n", *"№€₽", *map(chr, range(0x410, 0x450)), "Ё", "ё"})
)
PAD_ID, BOS_ID, EOS_ID = 0, 1, 2

CHAT_TEMPLATE = (
    "<|im_start|>"
    "{% for message in messages %}"
    "{{ {'system': 'S:', 'user': 'Q:', 'assistant': 'A:'}[message['role']] }}"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>{% elif part['type'] == 'text' %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}"
    "<end_of_utterance>"
    "{% endfor %}"
    "{% if add_generation_prompt %}A:{% endif %}"
)


def make_tokenizer() -> PreTrainedTokenizerFast:
    """BPE without merges is a character tokenizer. Words are put together again without spaces between."""
    vocabulary = {token: number for number, token in enumerate((*SPECIAL, *CHARACTERS))}
    inner = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token=UNKNOWN))
    inner.decoder = decoders.Fuse()
    inner.add_special_tokens(list(SPECIAL))
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        pad_token=PAD,
        bos_token=BOS,
        eos_token=EOS,
        unk_token=UNKNOWN,
        additional_special_tokens=[AROUND_IMAGE, IMAGE, GLOBAL_IMAGE],
    )
