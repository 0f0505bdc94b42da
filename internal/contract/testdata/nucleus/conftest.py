"""What the tests of the dataset API share: a client, a server for URL images, and pictures made on the spot.

The client is what its makers released, and nothing of it is changed: only the waiting between two looks at a job is cut short.
"""
import contextlib
import functools
import http.server
import io
import json
import os
import threading
import time

import nucleus
import pytest
import requests
from PIL import Image, ImageDraw

real_sleep = time.sleep
time.sleep = lambda seconds: real_sleep(min(seconds, 0.03))

ENDPOINT = os.environ["NUCLEUS_ENDPOINT"]
KEY = os.environ["NUCLEUS_API_KEY"]
TEST_KEY = os.environ["REMUDA_TEST_WORLD_KEY"]


def picture(seed, size=(96, 64), form="JPEG"):
    """Bytes of an image that looks like no other: a few boxes whose places and colors the seed chooses."""
    image = Image.new("RGB", size, (seed * 37 % 256, seed * 91 % 256, seed * 53 % 256))
    draw = ImageDraw.Draw(image)
    state = seed * 2654435761 + 12345
    for _ in range(12):
        numbers = []
        for _ in range(7):
            state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
            numbers.append(state >> 40)
        x, y = numbers[0] % size[0], numbers[1] % size[1]
        draw.rectangle([x, y, x + 4 + numbers[2] % 40, y + 4 + numbers[3] % 30], fill=tuple(n % 256 for n in numbers[4:]))
    out = io.BytesIO()
    image.save(out, form, **({"quality": 90} if form == "JPEG" else {}))
    return out.getvalue()


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """A folder of 40 images, img_00.jpg to img_39.jpg."""
    path = tmp_path_factory.mktemp("images")
    for n in range(40):
        (path / f"img_{n:02}.jpg").write_bytes(picture(n))
    return path


@pytest.fixture(scope="session")
def web(folder):
    """The URL at which the folder is served, as any web server would."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()


@pytest.fixture(scope="session")
def client():
    return nucleus.NucleusClient(KEY)


class Wire:
    """The API without a client: for what a client hides."""

    def __init__(self, key=KEY):
        self.key = key

    def __call__(self, method, route, body=None, **more):
        text = {} if body is None else {"data": body if isinstance(body, (str, bytes)) else json.dumps(body), "headers": {"Content-Type": "application/json"}}
        return requests.request(method, f"{ENDPOINT}/{route}", auth=(self.key, ""), allow_redirects=False, **{**text, **more})

    def ok(self, method, route, body=None):
        """The JSON of an answer that must be one: every success has some, and says so."""
        answer = self(method, route, body)
        assert answer.status_code == 200, answer.text
        assert answer.headers["Content-Type"] == "application/json"
        return answer.json()


@pytest.fixture(scope="session")
def wire():
    return Wire()


@contextlib.contextmanager
def refused(status, words=""):
    """The block must fail with this status, or one of these, and an error of the API's shape that has the words."""
    with pytest.raises(nucleus.NucleusAPIError) as caught:
        yield
    statuses = status if isinstance(status, tuple) else (status,)
    assert caught.value.status_code in statuses, str(caught.value)
    assert '{"error":"' in str(caught.value), str(caught.value)
    assert words in str(caught.value)


def new_dataset(client, name="horses"):
    return client.create_dataset(name, is_scene=False)


def fill(client, folder, n, name="horses", **kwargs):
    """A new dataset with n local images, reference ids r0, r1, …"""
    dataset = new_dataset(client, name)
    append_local(dataset, folder, range(n), **kwargs)
    return dataset


def append_local(dataset, folder, numbers, prefix="r"):
    items = [nucleus.DatasetItem(str(folder / f"img_{n:02}.jpg"), f"{prefix}{n}", metadata={"n": n, "even": n % 2 == 0}) for n in numbers]
    return finish(dataset.append(items))


def finish(job):
    """Waits for a job; old clients get counts instead, and the work of their files goes on."""
    if isinstance(job, nucleus.AsyncJob):
        job.sleep_until_complete(verbose_std_out=False)
    elif hasattr(job, "dataset_id"):
        while any("phash" not in i for i in Wire().ok("GET", f"dataset/{job.dataset_id}/datasetItems")["dataset_items"]):
            real_sleep(0.01)
    return job


def identities(dataset):
    """The ids of a dataset's items, which old clients do not read."""
    return [i["dataset_item_id"] for i in Wire().ok("GET", f"dataset/{dataset.id}/datasetItems")["dataset_items"]]


def box(ref, x=5, y=6, w=30, h=20, label="horse", **kwargs):
    return nucleus.BoxAnnotation(label, x, y, w, h, ref, **kwargs)


def guess(ref=None, x=5, y=6, w=30, h=20, label="horse", confidence=0.9, **kwargs):
    return nucleus.BoxPrediction(label, x, y, w, h, ref, confidence=confidence, **kwargs)


@pytest.fixture(scope="session")
def herd(client, folder):
    """A dataset that tests only read: 12 items, two boxes on all but the last two, a slice of the first six."""
    dataset = fill(client, folder, 10, "herd")
    append_local(dataset, folder, [10, 11])  # by itself: forms of one call come in any order
    dataset.annotate([box(f"r{n}", 5, 6, annotation_id=f"a{n}") for n in range(10)] + [box(f"r{n}", 50, 30, 20, 20, "cow", annotation_id=f"b{n}") for n in range(10)])
    dataset.herd = dataset.create_slice("first", [f"r{n}" for n in range(6)])
    return dataset
