"""Builds the tiny VLM: an Idefics3 of about 0.8 million parameters and the processor that goes with it."""

from __future__ import annotations

from transformers import Idefics3Config, Idefics3ForConditionalGeneration, Idefics3Processor
from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil

from tiny_vlm.receipts import SIDE
from tiny_vlm.vocabulary import BOS_ID, CHAT_TEMPLATE, EOS_ID, IMAGE, PAD_ID, make_tokenizer

PATCH = 16
SCALE = 2  # the connector puts SCALE x SCALE patches into one image token
IMAGE_TOKENS = (SIDE // PATCH // SCALE) ** 2
HIDDEN = 128
MAX_POSITIONS = 512  # tokens of prompt, image and answer together


def make_processor() -> Idefics3Processor:
    size = {"longest_edge": SIDE}
    images = Idefics3ImageProcessorPil(size=size, max_image_size=size, do_image_splitting=False)
    return Idefics3Processor(
        image_processor=images,
        tokenizer=make_tokenizer(),
        image_seq_len=IMAGE_TOKENS,
        chat_template=CHAT_TEMPLATE,
    )


def make_model() -> Idefics3ForConditionalGeneration:
    """Random weights from torch's current seed.

    Heads of 32: vLLM's attention on CPUs takes no smaller ones. The embeddings are said to be tied in
    `text_config` too: otherwise vLLM leaves the output layer at zero and answers every request with nothing."""
    tokenizer = make_tokenizer()
    ids = {"pad_token_id": PAD_ID, "bos_token_id": BOS_ID, "eos_token_id": EOS_ID}
    text = {
        "model_type": "llama",
        "vocab_size": len(tokenizer),
        "hidden_size": HIDDEN,
        "intermediate_size": 256,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": MAX_POSITIONS,
        "tie_word_embeddings": True,
        **ids,
    }
    vision = {
        "hidden_size": 96,
        "intermediate_size": 192,
        "num_hidden_layers": 3,
        "num_attention_heads": 3,
        "image_size": SIDE,
        "patch_size": PATCH,
    }
    config = Idefics3Config(
        text_config=text,
        vision_config=vision,
        image_token_id=tokenizer.convert_tokens_to_ids(IMAGE),
        scale_factor=SCALE,
        tie_word_embeddings=True,
        **ids,
    )
    return Idefics3ForConditionalGeneration(config)
