"""What the tests of the labeling API share: clients of both worlds, and a server for images and callbacks.

The client is what its makers released, and nothing of it is changed.
"""
import http.server
import json
import os
import struct
import threading
import time
import uuid
import zlib

import pytest
import requests
import scaleapi

ENDPOINT = os.environ["SCALE_ENDPOINT"]
LIVE = os.environ["SCALE_LIVE_KEY"]
TEST = os.environ["SCALE_TEST_KEY"]
OWN = os.environ["REMUDA_URL"]

GEOMETRIES = {"box": {"objects_to_annotate": ["Baby Cow", "Big Cow"], "min_height": 10, "min_width": 10}}


def png(seed, width=120, height=80):
    """Bytes of an image of one color."""
    row = b"\0" + bytes((seed * 7 % 256, seed * 11 % 256, seed * 13 % 256)) * width

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(row * height)) + chunk(b"IEND", b"")


class Web:
    """An image for every path that ends in .png; what is posted is kept, and answered as a test says."""

    def __init__(self):
        self.calls, self.answers = [], {}
        web = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *args):
                pass

            def do_GET(self):
                self.send_response(200 if self.path.endswith(".png") else 404)
                self.end_headers()
                if self.path.endswith(".png"):
                    self.wfile.write(png(zlib.crc32(self.path.encode())))

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                web.calls.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                self.send_response(web.answers.get(self.path, 200))
                self.end_headers()

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def image(self):
        return f"{self.url}/{uuid.uuid4()}.png"

    def called(self, path, n=1, seconds=20):
        """What was posted to a path, once it is n or more."""
        for _ in range(seconds * 50):
            found = [c for c in self.calls if c[0] == path]
            if len(found) >= n:
                return found
            time.sleep(0.02)
        raise AssertionError(f"{path} was called {len(found)} times, not {n}")


@pytest.fixture(scope="session")
def web():
    return Web()


@pytest.fixture(scope="session")
def live():
    return scaleapi.ScaleClient(LIVE, "contract", api_instance_url=ENDPOINT)


@pytest.fixture(scope="session")
def test():
    return scaleapi.ScaleClient(TEST, "contract", api_instance_url=ENDPOINT)


@pytest.fixture(params=["live", "test"])
def client(request, live, test):
    return {"live": live, "test": test}[request.param]


@pytest.fixture
def name():
    return "a name " + str(uuid.uuid4())


@pytest.fixture
def project(client):
    from scaleapi.tasks import TaskType

    return client.create_project(str(uuid.uuid4()), TaskType.ImageAnnotation, {"instruction": "Draw.", "geometries": GEOMETRIES})


def call(method, path, key=LIVE, **more):
    """A request that the client would not send."""
    return requests.request(method, ENDPOINT + path, auth=(key, ""), timeout=30, **more)


def image_of(client, task_id):
    return client.get_task(task_id).as_dict()["attachmentS3Downloads"][0]["s3URL"]


def fetched(client, task_id, seconds=20):
    """The URL of a task's image, once the server has it."""
    for _ in range(seconds * 50):
        url = image_of(client, task_id)
        if url.startswith(OWN):
            return url
        time.sleep(0.02)
    raise AssertionError(f"{task_id} waits for its image")


def ended(client, task_id, seconds=20):
    """A task, once it is not pending."""
    for _ in range(seconds * 50):
        task = client.get_task(task_id)
        if task.status != "pending":
            return task
        time.sleep(0.02)
    raise AssertionError(f"{task_id} is pending")
