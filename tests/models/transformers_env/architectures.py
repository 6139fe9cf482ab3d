"""Builds tiny models of several architectures with random weights, as folders for `from_pretrained`."""

from __future__ import annotations

import json
from pathlib import Path

import torch
import transformers as hf
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

TEXTS = ["What is the total of this receipt?", "Read the page.", "date company number 0123456789 .,:;!?"]
WORDS = 400
HIDDEN = 64
CHAT = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
    "{% if m['content'] is string %}{{ m['content'] }}{% else %}"
    "{% for p in m['content'] %}{% if p['type'] == 'image' %}IMAGE{% else %}{{ p['text'] }}{% endif %}{% endfor %}"
    "{% endif %}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def tokenizer(
    *, image_token: str = "<image>", more: tuple[str, ...] = (), **named: str
) -> hf.PreTrainedTokenizerFast:
    """Byte-level BPE learned from a few sentences."""
    special = ["<pad>", "<s>", "</s>", "<|im_start|>", "<|im_end|>", image_token, *more]
    inner = Tokenizer(models.BPE(unk_token=None))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    inner.train_from_iterator(
        TEXTS, trainers.BpeTrainer(vocab_size=WORDS, special_tokens=special, initial_alphabet=alphabet)
    )
    return hf.PreTrainedTokenizerFast(
        tokenizer_object=inner,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        extra_special_tokens={"image_token": image_token, **named},
    )


def text_config(words: int) -> dict[str, object]:
    ids = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    sizes = {"num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 2}
    return {"vocab_size": words, "hidden_size": HIDDEN, "intermediate_size": 128, **sizes, **ids}


def vision_config(**more: object) -> dict[str, object]:
    sizes = {"num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 128}
    return {"hidden_size": HIDDEN, "image_size": 64, "patch_size": 16, **sizes, **more}


def llava(folder: Path, *, chat: bool) -> None:
    words = tokenizer()
    config = hf.LlavaConfig(
        text_config={"model_type": "qwen2", "max_position_embeddings": 256, **text_config(len(words))},
        vision_config={"model_type": "clip_vision_model", **vision_config()},
        image_token_index=words.convert_tokens_to_ids("<image>"),
    )
    images = hf.CLIPImageProcessorPil(size={"shortest_edge": 64}, crop_size={"height": 64, "width": 64})
    processor = hf.LlavaProcessor(
        image_processor=images,
        tokenizer=words,
        patch_size=16,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=CHAT.replace("IMAGE", "<image>") if chat else None,
    )
    save(hf.LlavaForConditionalGeneration(config), processor, folder)


def qwen2_vl(folder: Path) -> None:
    names = {"image_token": "<|image_pad|>", "video_token": "<|video_pad|>"}
    around = ("<|video_pad|>", "<|vision_start|>", "<|vision_end|>")
    words = tokenizer(more=around, **names)
    ids = {name: words.convert_tokens_to_ids(token) for name, token in names.items()}
    config = hf.Qwen2VLConfig(
        text_config={
            **text_config(len(words)),
            "max_position_embeddings": 512,
            "rope_parameters": {"rope_type": "default", "mrope_section": [4, 6, 6], "rope_theta": 10000.0},
        },
        vision_config={
            "depth": 2,
            "embed_dim": HIDDEN,
            "hidden_size": HIDDEN,
            "num_heads": 2,
            "mlp_ratio": 2,
        },
        image_token_id=ids["image_token"],
        video_token_id=ids["video_token"],
        vision_start_token_id=words.convert_tokens_to_ids("<|vision_start|>"),
        vision_end_token_id=words.convert_tokens_to_ids("<|vision_end|>"),
    )
    hf.Qwen2VLForConditionalGeneration(config).save_pretrained(folder)
    words.chat_template = CHAT.replace("IMAGE", "<|vision_start|><|image_pad|><|vision_end|>")
    words.save_pretrained(folder)
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    Qwen2VLImageProcessorPil(size={"shortest_edge": 784, "longest_edge": 50176}).save_pretrained(folder)
    path = folder / "preprocessor_config.json"
    found = json.loads(path.read_text())
    found["image_processor_type"] = "Qwen2VLImageProcessor"
    path.write_text(json.dumps({**found, "processor_class": "Qwen2VLProcessor"}))


def swin_and_mbart(words: int) -> hf.PreTrainedModel:
    """What Donut and Nougat are made of."""
    encoder = hf.DonutSwinConfig(
        image_size=[64, 64], patch_size=4, embed_dim=16, depths=[1, 1], num_heads=[2, 2], window_size=4
    )
    decoder = hf.MBartConfig(
        vocab_size=words, d_model=32, encoder_layers=2, decoder_layers=2, decoder_attention_heads=2,
        encoder_attention_heads=2, decoder_ffn_dim=64, encoder_ffn_dim=64, max_position_embeddings=128,
        is_decoder=True, add_cross_attention=True, pad_token_id=0, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    config = hf.VisionEncoderDecoderConfig.from_encoder_decoder_configs(encoder, decoder)
    model = hf.VisionEncoderDecoderModel(config)
    model.config.decoder_start_token_id = 1
    model.generation_config.update(decoder_start_token_id=1, eos_token_id=2, pad_token_id=0)
    return model


def donut(folder: Path) -> None:
    words = tokenizer(more=("<s_docvqa>", "<s_question>", "</s_question>", "<s_answer>", "</s_answer>"))
    images = hf.DonutImageProcessorPil(size={"height": 64, "width": 64}, do_align_long_axis=False)
    save(swin_and_mbart(len(words)), hf.DonutProcessor(image_processor=images, tokenizer=words), folder)


def nougat(folder: Path) -> None:
    words = tokenizer()
    own = hf.NougatTokenizer(
        tokenizer_object=words.backend_tokenizer, pad_token="<pad>", bos_token="<s>", eos_token="</s>"
    )
    images = hf.NougatImageProcessorPil(size={"height": 64, "width": 64}, do_crop_margin=False)
    save(swin_and_mbart(len(words)), hf.NougatProcessor(image_processor=images, tokenizer=own), folder)


def trocr(folder: Path) -> None:
    words = tokenizer()
    encoder = hf.ViTConfig(**vision_config())
    decoder = hf.TrOCRConfig(
        vocab_size=len(words), d_model=32, decoder_layers=2, decoder_attention_heads=2, decoder_ffn_dim=64,
        max_position_embeddings=64, cross_attention_hidden_size=HIDDEN, pad_token_id=0, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    model = hf.VisionEncoderDecoderModel(
        hf.VisionEncoderDecoderConfig.from_encoder_decoder_configs(encoder, decoder)
    )
    model.config.decoder_start_token_id = 1
    model.generation_config.update(decoder_start_token_id=1, eos_token_id=2, pad_token_id=0)
    images = hf.ViTImageProcessorPil(size={"height": 64, "width": 64})
    save(model, hf.TrOCRProcessor(image_processor=images, tokenizer=words), folder)


def got_ocr2(folder: Path) -> None:
    """Its processor brings the prompt."""
    from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import GotOcr2ImageProcessorPil

    words = tokenizer(image_token="<imgpad>", more=("<img>", "</img>"))
    config = hf.GotOcr2Config(
        text_config={"model_type": "qwen2", "max_position_embeddings": 512, **text_config(len(words))},
        vision_config={
            "hidden_size": 32, "output_channels": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "mlp_dim": 64,
            "image_size": 1024, "patch_size": 16, "window_size": 14, "global_attn_indexes": [],
        },
        image_token_index=words.convert_tokens_to_ids("<imgpad>"),
    )  # fmt: skip
    images = GotOcr2ImageProcessorPil(size={"height": 1024, "width": 1024})
    save(
        hf.GotOcr2ForConditionalGeneration(config),
        hf.GotOcr2Processor(image_processor=images, tokenizer=words),
        folder,
    )


def florence2(folder: Path) -> None:
    words = tokenizer()
    places = [f"<loc_{number}>" for number in range(1000)]
    words.add_tokens(places)
    config = hf.Florence2Config(
        text_config={
            "model_type": "bart", "vocab_size": len(words), "d_model": 32, "encoder_layers": 2, "decoder_layers": 2,
            "encoder_attention_heads": 2, "decoder_attention_heads": 2, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64,
            "max_position_embeddings": 256, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
            "decoder_start_token_id": 1, "forced_eos_token_id": None,
        },
        vision_config={
            "depths": [1, 1], "embed_dim": [16, 32], "num_heads": [2, 2], "num_groups": [2, 2], "window_size": 2,
            "patch_size": [7, 3], "patch_stride": [4, 2], "patch_padding": [3, 1], "patch_prenorm": [False, True],
            "projection_dim": 32, "max_position_embeddings": 20,
        },
        image_token_id=words.convert_tokens_to_ids("<image>"),
    )  # fmt: skip
    images = hf.CLIPImageProcessorPil(size={"height": 64, "width": 64}, do_center_crop=False)
    images.image_seq_length = 65
    processor = hf.Florence2Processor(image_processor=images, tokenizer=words)
    save(hf.Florence2ForConditionalGeneration(config), processor, folder)


def text_model(folder: Path) -> None:
    words = tokenizer()
    words.chat_template = CHAT
    model = hf.Qwen2ForCausalLM(hf.Qwen2Config(max_position_embeddings=256, **text_config(len(words))))
    save(model, words, folder)


def save(model: hf.PreTrainedModel, processor: object, folder: Path) -> None:
    model.save_pretrained(folder)
    processor.save_pretrained(folder)  # type: ignore[attr-defined]  # processors and tokenizers alike


BUILDERS = {
    "llava": lambda folder: llava(folder, chat=True),
    "llava_plain": lambda folder: llava(folder, chat=False),
    "qwen2_vl": qwen2_vl,
    "donut": donut,
    "nougat": nougat,
    "trocr": trocr,
    "got_ocr2": got_ocr2,
    "florence2": florence2,
    "text": text_model,
}


def build(name: str, folder: Path) -> Path:
    torch.manual_seed(3)
    folder.mkdir(parents=True, exist_ok=True)
    BUILDERS[name](folder)
    return folder
