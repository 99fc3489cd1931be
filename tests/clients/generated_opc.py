"""openapi-python-client's client: generated_opc.py URL MODEL PICTURE"""

import base64
import io
import sys

from opc import Client, models
from opc.api.classify import classify
from opc.api.v2 import v2_infer
from opc.types import File

url, model, path = sys.argv[1:]
with open(path, "rb") as file:
    picture = file.read()
client = Client(base_url=url, raise_on_unexpected_status=True)

answer = classify.sync(client=client, body=File(io.BytesIO(picture)), top_k=2)
assert answer.top[0].label == "glass" and len(answer.top) == 2, answer
several = models.Form(image=[File(io.BytesIO(picture), "a.jpg", "image/jpeg")] * 2)
assert len(classify.sync(client=client, body=several).results) == 2


def infer(**members):
    image = models.ImageInput("image", "BYTES", [1],
                              [base64.b64encode(picture).decode()])
    answer = v2_infer.sync(model, client=client, body=models.InferRequest([image], **members))
    return answer.outputs[0]


floats = infer()
assert floats.datatype == "FP32" and len(floats.data) == floats.shape[1], floats
best = models.InferPosteriorsParametersType0(classification=1)
asked = models.InferPosteriors("posteriors", parameters=best)
assert infer(outputs=[asked]).data[0].endswith(":glass")
