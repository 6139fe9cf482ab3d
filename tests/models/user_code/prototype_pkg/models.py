"""Classes with the prototype's contract; parameter names differ between its versions on purpose."""

from pathlib import Path


class PrototypeModel:
    def __init__(self, model, system, cache):  # type: ignore[no-untyped-def]
        self.framework = "Hugging_Face"
        self.model, self.system_prompt, self.cache = model, system, cache

    def predict_on_image(self, image, prompt):  # type: ignore[no-untyped-def]
        if prompt == "return nothing":
            return None
        if prompt == "return a list":
            return ["a", 1]
        file = Path(image)
        return (
            f"{self.model}|{self.system_prompt}|{self.cache}|{prompt}|{file.suffix}|{len(file.read_bytes())}"
        )

    def predict_on_images(self, image_list, q):  # type: ignore[no-untyped-def]
        return f"{q}|{[len(Path(item).read_bytes()) for item in image_list]}"


class OneImageOnly:
    framework = "vLLM"

    def __init__(self, model_name, system_prompt, cache_dir):  # type: ignore[no-untyped-def]
        pass

    def predict_on_image(self, image, question):  # type: ignore[no-untyped-def]
        return image


class NoMethods:
    def __init__(self, model_name, system_prompt, cache_dir):  # type: ignore[no-untyped-def]
        pass
