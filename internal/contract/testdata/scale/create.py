"""Creates as many tasks as it is told with the released client, one after the other, and prints the mean seconds of one."""
import os
import sys
import time

import scaleapi
from conftest import GEOMETRIES, png
from scaleapi.tasks import TaskType

client = scaleapi.ScaleClient(os.environ["SCALE_LIVE_KEY"], "bench", api_instance_url=os.environ["SCALE_ENDPOINT"])
client.create_project("bench", TaskType.ImageAnnotation, {"geometries": GEOMETRIES, "instruction": "Draw."})
client.create_batch("bench", "bench")
with open(sys.argv[2], "wb") as f:
    f.write(png(1))
with open(sys.argv[2], "rb") as f:
    image = client.upload_file(file=f).attachment_url
begun = time.time()
for n in range(int(sys.argv[1])):
    client.create_task(TaskType.ImageAnnotation, batch="bench", attachment=image, unique_id=f"image {n}", metadata={"n": n}, tags=["bench"])
print((time.time() - begun) / int(sys.argv[1]))
