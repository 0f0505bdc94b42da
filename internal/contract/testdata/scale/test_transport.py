"""What the client expects of every answer: status 200, JSON, errors of one shape, and no 409 where it would fall over one."""
import base64
import uuid

import pytest
import requests
import scaleapi
from conftest import ENDPOINT, GEOMETRIES, LIVE, TEST, call, image_of
from scaleapi.exceptions import ScaleDuplicateResource, ScaleInvalidRequest, ScaleResourceNotFound, ScaleUnauthorized
from scaleapi.tasks import TaskType


def test_unknown_keys_get_401():
    for key in ["dummy_api_key", "live_wrong", "test_wrong"]:
        with pytest.raises(ScaleUnauthorized):
            scaleapi.ScaleClient(key, "contract", api_instance_url=ENDPOINT).batches(limit=1)
    assert requests.get(ENDPOINT + "/tasks").status_code == 401


def test_errors_have_one_shape(live):
    for method, path, status in [
        ("GET", "/task/none", 404),
        ("GET", "/nothing", 404),
        ("GET", "/projects/none", 404),
        ("GET", "/batches/none/status", 404),
        ("DELETE", "/projects", 404),
        ("POST", "/projects", 400),
        ("GET", "/tasks?limit=1000", 400),
        ("GET", "/tasks?status=done", 400),
        ("GET", "/tasks?start_time=yesterday", 400),
        ("GET", "/tasks?next_token=!", 400),
        ("GET", "/batches?limit=0", 400),
    ]:
        answer = call(method, path)
        assert answer.status_code == status, path
        assert answer.json()["status_code"] == status and isinstance(answer.json()["error"], str), path
    assert call("POST", "/projects", data="{", headers={"Content-Type": "application/json"}).status_code == 400
    with pytest.raises(ScaleResourceNotFound, match="Task with that ID not found"):
        live.get_task("fake_id_qwertyuiop")


def test_a_slash_too_many_is_passed_over(live, name):
    client = scaleapi.ScaleClient(LIVE, "contract", api_instance_url=ENDPOINT + "/")
    client.create_project(name, TaskType.ImageAnnotation)
    assert client.get_project(name).name == name
    assert requests.post(ENDPOINT + "//projects//" + name + "//setParams", auth=(LIVE, ""), json={"a": 1}, allow_redirects=False).status_code == 200


def test_empty_bodies_are_empty_objects(test, web, name):
    test.create_project(name, TaskType.ImageAnnotation, {"geometries": GEOMETRIES})
    batch = test.create_batch(name, name, metadata={"a": 1})
    task = test.create_task(TaskType.ImageAnnotation, batch=name, attachment=web.image(), metadata={"a": 1}, tags=["a"])
    assert test.set_batch_metadata(name, {}).metadata == {}
    assert test.set_task_metadata(task.id, {}).metadata == {}
    assert not hasattr(test.set_task_tags(task.id, []), "tags")
    assert not hasattr(test.add_task_tags(task.id, []), "tags")
    assert not hasattr(test.delete_task_tags(task.id, []), "tags")
    assert test.update_project(name).version == 1
    batch.finalize()
    batch.finalize()
    assert test.reset_studio_batches_priorities() is not None


def test_no_conflict_where_the_client_sends_no_object(live, web, name):
    name = "task " + name  # the client looks for the word in paths
    live.create_project(name, TaskType.ImageAnnotation, {"geometries": GEOMETRIES})
    live.create_batch(name, name)
    task = live.create_task(TaskType.ImageAnnotation, batch=name, attachment=web.image())
    live.finalize_batch(name)
    live.finalize_batch(name)
    live.cancel_task(task.id)
    live.cancel_task(task.id)
    live.clear_task_unique_id(task.id)
    with pytest.raises(ScaleInvalidRequest):
        live.api.post_request(f"task/{task.id}/audit", body={"accepted": True})
    with pytest.raises(ScaleInvalidRequest):
        live.create_task(TaskType.ImageAnnotation, batch=name, attachment=web.image())


@pytest.mark.parametrize("inner", ["a b", "a/b", "50%", "a?b", "a#b", "größe", "馬", "a//b", "a/../b", "my task", "a+b", "a&b=c", "%2F"])
def test_names_are_identifiers(client, inner):
    name = f"{inner} {uuid.uuid4()}"
    client.create_project(name, TaskType.ImageAnnotation, {"geometries": GEOMETRIES})
    assert client.get_project(name).name == name
    assert client.update_project(name, patch=True, instruction="x").instruction == "x"
    client.create_batch(name, name)
    assert client.get_batch(name).project == name
    assert client.batch_status(name)["status"] in ("staging", "in_progress")
    assert client.set_batch_metadata(name, {"a": "b"}).metadata == {"a": "b"}
    assert client.get_tasks_count(project_name=name, batch_name=name) == 0
    assert client.finalize_batch(name).name == name


@pytest.mark.parametrize("name", [".", "..", "", "   "])
def test_names_that_no_url_can_hold_are_refused(live, name):
    with pytest.raises(ScaleInvalidRequest):
        live.create_project(name, TaskType.ImageAnnotation)


def test_worlds_share_nothing(live, test, web, name):
    for client in (live, test):
        client.create_project(name, TaskType.ImageAnnotation, {"geometries": GEOMETRIES})
        client.create_batch(name, name)
    task = live.create_task(TaskType.ImageAnnotation, batch=name, attachment=web.image(), unique_id=name)
    assert test.create_task(TaskType.ImageAnnotation, batch=name, attachment=web.image(), unique_id=name).id != task.id
    with pytest.raises(ScaleResourceNotFound):
        test.get_task(task.id)
    only = "only " + name
    live.create_project(only, TaskType.ImageAnnotation)
    with pytest.raises(ScaleResourceNotFound):
        test.create_batch(only, only)
    with pytest.raises(ScaleDuplicateResource):
        live.create_project(only, TaskType.ImageAnnotation)


def test_images_are_read_without_a_key(live, test, web, name):
    client = test
    client.create_project(name, TaskType.ImageAnnotation, {"geometries": GEOMETRIES})
    with open(__file__, "rb") as text:
        client.upload_file(text)
    from conftest import png

    file = client.upload_file(("a.png", png(7), "image/png"))
    task = client.create_task(TaskType.ImageAnnotation, project=name, attachment=file.attachment_url)
    answer = requests.get(image_of(client, task.id))
    assert answer.status_code == 200 and answer.content == png(7) and answer.headers["Content-Type"] == "image/png"


def test_basic_auth_takes_the_key_alone():
    token = base64.b64encode(f"{TEST}:".encode()).decode()
    assert requests.get(ENDPOINT + "/projects", headers={"Authorization": "Basic " + token}).status_code == 200
