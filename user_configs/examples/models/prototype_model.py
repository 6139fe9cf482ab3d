"""A model class with the contract of the 0.1 prototype; vlmhb runs such a class unmodified."""


class PrototypeReader:
    def __init__(self, model_name, system_prompt, cache_dir):
        from rapidocr import RapidOCR

        self.framework = "RapidOCR"
        self.model_name = model_name
        self.system_prompt = system_prompt
        self.cache_dir = cache_dir
        self.engine = RapidOCR()

    def predict_on_image(self, image, question):
        """`image` is the path of a file."""
        lines = self.engine(image).txts or ()
        return next((line.split(":")[-1].strip() for line in lines if question in line), "")
