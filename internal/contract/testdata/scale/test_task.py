"""Tasks: what they are made from, lists and their filters, what can be said of them, and test keys."""
import concurrent.futures
import datetime
import uuid

import pytest
from conftest import GEOMETRIES, call, ended, fetched
from scaleapi.exceptions import ScaleDuplicateResource, ScaleInvalidRequest, ScaleResourceNotFound
from scaleapi.tasks import TaskReviewStatus, TaskStatus, TaskType


def make(client, web, **more):
    fields = {
        "callback_url": web.url + "/nobody",
        "instruction": "Draw a box around each cow.",
        "attachment_type": "image",
        "attachment": web.image(),
        "geometries": GEOMETRIES,
    }
    return client.create_task(TaskType.ImageAnnotation, **{**fields, **more})


def test_a_task_comes_back_as_it_was_made(client, web):
    made = make(client, web, metadata={"a": [1, {"b": None}]}, extra={"kept": True}, priority=3)
    got = client.get_task(made.id)
    for field in ("created_at", "instruction", "callback_url", "metadata", "type", "params"):
        assert getattr(got, field) == getattr(made, field), field
    assert got.params["geometries"] == GEOMETRIES and got.params["attachment_type"] == "image" and got.params["extra"] == {"kept": True}
    assert not hasattr(got, "tags") and not hasattr(got, "unique_id") and hasattr(got, "project")
    assert make(client, web).metadata == {}


def test_a_test_key_completes_tasks_at_once(test, web):
    task = test.get_task(make(test, web).id)
    assert task.status == "completed" and task.completed_at >= task.created_at and task.is_test
    box = task.response["annotations"][0]
    assert box["label"] == "Baby Cow" and box["type"] == "box" and box["attributes"] == {} and box["width"] >= 10 and box["uuid"]
    assert task.response["links"] == [] and task.response["global_attributes"] == {}
    with pytest.raises(ScaleInvalidRequest):
        task.cancel()


def test_what_a_live_key_makes_waits(live, web):
    task = make(live, web)
    assert task.status == "pending" and not task.is_test
    assert fetched(live, task.id)
    task.cancel()
    task.cancel()
    assert live.get_task(task.id).status == "canceled"


@pytest.mark.parametrize("missing, said", [("attachment", "attachment"), ("geometries", "geometries")])
def test_what_is_missing_is_named(client, web, missing, said):
    with pytest.raises(ScaleInvalidRequest, match=said):
        make(client, web, **{missing: None})


def test_live_tasks_that_nobody_could_do_are_refused(live, web):
    for more in [
        {"geometries": {"polygon": {"objects_to_annotate": ["a"]}}},
        {"geometries": {"box": {"objects_to_annotate": []}}},
        {"geometries": "box"},
        {"attachment": "ftp://example.org/a.jpg"},
        {"metadata": {"a": "b" * 11000}},
        {"metadata": [1]},
        {"tags": "a"},
        {"project": "none"},
        {"hypothesis": {"boxes": []}},
    ]:
        with pytest.raises((ScaleInvalidRequest, ScaleResourceNotFound)):
            make(live, web, **more)
    with pytest.raises(ScaleInvalidRequest):
        live.create_task(TaskType.Categorization, attachment="http://www.example.com", categories=["a"])


@pytest.mark.parametrize(
    "kind, fields, needed",
    [
        (TaskType.Categorization, {"attachment": "http://www.example.com/", "categories": ["public"]}, "attachment"),
        (TaskType.Transcription, {"attachment": "http://www.example.com/", "fields": {"title": "Title"}}, "attachment"),
        (TaskType.Annotation, {"attachment": "http://www.example.com/", "objects_to_annotate": ["cow"], "min_width": "30"}, "attachment"),
        (TaskType.PolygonAnnotation, {"attachment": "http://www.example.com/", "objects_to_annotate": ["cow"]}, "objects_to_annotate"),
        (TaskType.LineAnnotation, {"attachment": "http://www.example.com/", "objects_to_annotate": ["cow"]}, "attachment"),
        (TaskType.DataCollection, {"attachment": "http://www.example.com/", "fields": {"a": "b"}}, "attachment"),
        (TaskType.DocumentTranscription, {"attachment": "http://www.example.com/", "features": []}, "attachment"),
        (TaskType.NamedEntityRecognition, {"text": "a text", "labels": [{"name": "a"}]}, "text"),
    ],
)
def test_a_test_key_takes_other_types(test, kind, fields, needed):
    assert test.create_task(kind, **fields).type == kind.value
    with pytest.raises(ScaleInvalidRequest):
        test.create_task(kind, **{key: value for key, value in fields.items() if key != needed})


def test_unique_ids(client, web):
    unique = str(uuid.uuid4())
    task = make(client, web, unique_id=unique)
    with pytest.raises(ScaleDuplicateResource, match=unique):
        make(client, web, unique_id=unique)
    assert [t.id for t in client.tasks(unique_id=unique)] == [task.id]
    assert client.get_task(unique).id == task.id
    other = make(client, web, unique_id=unique + "/2")
    with pytest.raises(ScaleDuplicateResource):
        client.update_task_unique_id(other.id, unique)
    assert client.update_task_unique_id(task.id, unique + "/3").unique_id == unique + "/3"
    assert {t.id for t in client.tasks(unique_id=[unique + "/2", unique + "/3", "none"])} == {task.id, other.id}
    assert not hasattr(client.clear_task_unique_id(task.id), "unique_id")
    assert make(client, web, unique_id=unique + "/3").id != task.id


def test_fifty_creates_at_once_with_one_unique_id_make_one(live, web):
    unique = str(uuid.uuid4())

    def create(_):
        try:
            return make(live, web, unique_id=unique).id
        except ScaleDuplicateResource:
            return None

    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        made = [task for task in pool.map(create, range(50)) if task]
    assert len(made) == 1
    assert [t.id for t in live.tasks(unique_id=unique)] == made


def test_cancel_lets_go_of_the_unique_id(live, web):
    unique = str(uuid.uuid4())
    task = make(live, web, unique_id=unique)
    assert not hasattr(live.cancel_task(task.id, clear_unique_id=True), "unique_id")
    make(live, web, unique_id=unique).cancel(clear_unique_id=True)


def test_tags(client, web):
    task = make(client, web, tags=["b", "a", "b"])
    assert task.tags == ["b", "a"]
    assert client.add_task_tags(task.id, ["c", "a"]).tags == ["b", "a", "c"]
    assert client.delete_task_tags(task.id, ["a", "none"]).tags == ["b", "c"]
    assert client.set_task_tags(task.id, ["z"]).tags == ["z"]
    assert not hasattr(client.delete_task_tags(task.id, ["z"]), "tags")


def test_filters(test, web, name):
    test.create_project(name, TaskType.ImageAnnotation, {"geometries": GEOMETRIES})
    test.create_batch(name, name)
    before = datetime.datetime.now(datetime.timezone.utc)
    tasks = [make(test, web, batch=name, tags=[tag, "all " + name]) for tag in ("red", "blue", "green")]
    test.audit_task(tasks[0].id, True)
    test.audit_task(tasks[1].id, False, "too loose")
    ids = [t.id for t in tasks]

    def found(**query):
        return [ids.index(t.id) for t in test.get_tasks(project_name=name, **query)]

    assert found() == [2, 1, 0]  # newest first
    assert found(batch_name=name, status=TaskStatus.Completed, task_type=TaskType.ImageAnnotation) == [2, 1, 0]
    assert found(status=TaskStatus.Pending) == []
    assert found(tags=["red", "green"]) == [2, 0]
    assert found(tags="red") == [0]
    assert found(review_status=TaskReviewStatus.Accepted) == [0]
    assert found(review_status=[TaskReviewStatus.Accepted, TaskReviewStatus.Rejected]) == [1, 0]
    assert found(review_status=TaskReviewStatus.Pending) == [2]
    assert found(limit=1) == [2, 1, 0]
    day, later = before.strftime("%Y-%m-%d"), before + datetime.timedelta(hours=1)
    for form in (day, before.strftime("%Y-%m-%d %H:%M:%S.%f"), before.strftime("%Y-%m-%dT%H:%M:%S.%f"), before.isoformat(), before.strftime("%Y-%m-%dT%H:%M:%SZ")):
        assert found(created_after=form) == [2, 1, 0], form
        assert found(updated_after=form, completed_after=form) == [2, 1, 0], form
    for form in (later.strftime("%Y-%m-%d %H:%M:%S.%f"), later.isoformat()):
        assert found(created_after=form) == [] and found(completed_after=form) == [] and found(updated_before=form) == [2, 1, 0]
    assert test.get_tasks_count(project_name=name, created_after=day, tags="all " + name) == 3
    short = next(test.get_tasks(project_name=name, limited_response=True)).as_dict()
    assert set(short) == {"task_id", "status", "metadata", "project", "otherVersion"}
    page = call("GET", f"/tasks?project={name}&limit=2&next_token=", key=test.api._auth[0]).json()
    assert len(page["docs"]) == 2 and page["total"] == 3 and page["limit"] == 2 and page["offset"] == 0 and page["has_more"] and page["next_token"]
    last = call("GET", f"/tasks?project={name}&limit=2&next_token={page['next_token']}", key=test.api._auth[0]).json()
    assert len(last["docs"]) == 1 and not last["has_more"] and "next_token" not in last


def test_pages_neither_repeat_nor_skip_while_tasks_arrive(test, web, name):
    test.create_project(name, TaskType.ImageAnnotation, {"geometries": GEOMETRIES})
    made = {make(test, web, project=name).id for _ in range(7)}
    seen = []
    for task in test.get_tasks(project_name=name, limit=2):
        seen.append(task.id)
        make(test, web, project=name)
    assert len(seen) == len(set(seen)) and made <= set(seen) and len(seen) == 7


def test_parameters_are_inherited(test, web, name):
    test.create_project(name, TaskType.ImageAnnotation, {"instruction": "one", "geometries": GEOMETRIES})
    test.create_batch(name, name)
    task = test.create_task(TaskType.ImageAnnotation, batch=name, attachment=web.image())
    assert task.instruction == "one" and task.params["geometries"] == GEOMETRIES and task.project == name and task.batch == name
    assert task.project_param_version == 0
    test.update_project(name, patch=True, instruction="two")
    assert test.create_task(TaskType.ImageAnnotation, batch=name, attachment=web.image()).instruction == "two"
    assert test.create_task(TaskType.ImageAnnotation, batch=name, attachment=web.image(), instruction="mine").instruction == "mine"
    assert test.create_task(TaskType.ImageAnnotation, batch=name, attachment=web.image(), project_version=0).instruction == "one"
    with pytest.raises(ScaleInvalidRequest):
        test.create_task(TaskType.ImageAnnotation, batch=name, attachment=web.image(), project_version=-1)
    assert test.get_task(task.id).instruction == "one"


def test_an_image_that_cannot_be_fetched_is_an_error(live, web):
    path = f"/calls/{uuid.uuid4()}"
    unique = str(uuid.uuid4())
    task = make(live, web, attachment=web.url + "/gone.jpg", callback_url=web.url + path, unique_id=unique, clear_unique_id_on_error=True)
    task = ended(live, task.id)
    assert task.status == "error" and not hasattr(task, "unique_id")
    assert task.response["error"] == "One or more attachments could not be downloaded."
    assert task.response["attachments"][0]["url"].endswith("/gone.jpg")
    told = web.called(path)[0]
    assert told[2]["task_id"] == task.id and told[2]["status"] == "error"
    refused = make(live, web, attachment="http://169.254.169.254/latest/meta-data")
    assert ended(live, refused.id).status == "error"


def test_callbacks(test, web):
    path = f"/calls/{uuid.uuid4()}"
    task = make(test, web, callback_url=web.url + path)
    _, headers, body = web.called(path)[0]
    assert headers["scale-callback-auth"] and body["task_id"] == task.id and body["response"]["annotations"] and body["task"]["status"] == "completed"
    test.audit_task(task.id, True, "good")
    assert web.called(path, 2)[1][2]["task"]["customer_review_status"] == "accepted"
    assert call("POST", f"/task/{task.id}/send-callback", key=test.api._auth[0]).status_code == 200
    web.called(path, 3)


def test_audits(test, web):
    task = make(test, web)
    assert not hasattr(task, "customer_review_status")
    task.audit(False, "too loose")
    task.audit(False, "too loose")  # sent twice it counts once
    task.refresh()
    assert task.customer_review_status == "rejected" and task.customer_review_comments == ["too loose"] and len(task.audits) == 1
    assert task.prior_responses == [] and task.status == "completed"


def test_hypotheses_are_what_a_test_task_answers(test, web):
    box = {"uuid": "my own", "type": "box", "label": "Big Cow", "left": 1.5, "top": 2, "width": 30, "height": 40.25, "attributes": {"age": "old"}}
    task = make(test, web, hypothesis={"annotations": [box], "global_attributes": {"sky": "blue"}})
    assert task.response["annotations"] == [box] and task.response["global_attributes"] == {"sky": "blue"}


def test_whole_pixels_where_they_are_asked_for(test, web):
    box = {"type": "box", "label": "Big Cow", "left": 1.6, "top": 2, "width": 30.6, "height": 40}
    geometries = {"box": {**GEOMETRIES["box"], "integer_pixels": True}}
    got = make(test, web, geometries=geometries, hypothesis={"annotations": [box]}).response["annotations"][0]
    assert (got["left"], got["top"], got["width"], got["height"]) == (2, 2, 30, 40)
