"""Projects, batches, files, quality tasks, and people."""
import json
import time
import uuid

import pytest
from conftest import GEOMETRIES, call, png
from scaleapi.exceptions import ScaleDuplicateResource, ScaleException, ScaleInvalidRequest, ScaleResourceNotFound
from scaleapi.tasks import TaskType
from scaleapi.teams import TeammateRole


def test_projects_keep_their_params_as_they_were_sent(client, name):
    params = {"instruction": "Draw.", "geometries": GEOMETRIES, "annotation_attributes": {"age": {"choices": ["old", "young"]}}, "extra": [1, None]}
    made = client.create_project(name, TaskType.ImageAnnotation, params)
    assert made.version == 0 and made.instruction == "Draw." and made.type == "imageannotation"
    assert {key: made.params[key] for key in params} == params
    assert set(made.params) == set(params) | {"version", "created_at"}
    changed = client.update_project(name, patch=True, instruction="Again.")
    assert changed.version == 1 and changed.params["geometries"] == GEOMETRIES and changed.instruction == "Again."
    replaced = client.update_project(name, patch=False, instruction="Only this.")
    assert replaced.version == 2 and "geometries" not in replaced.params and len(replaced.as_dict()["param_history"]) == 3
    client.create_project(name + " 2", TaskType.ImageAnnotation)
    names = [p.name for p in client.get_projects()]
    assert names.index(name + " 2") < names.index(name)  # newest first
    assert call("GET", "/projects?archived=true").json() == []


def test_a_project_may_have_no_params(client, name):
    assert client.create_project(name, TaskType.ImageAnnotation).version is None
    with pytest.raises(ScaleDuplicateResource):
        client.create_project(name, TaskType.ImageAnnotation)
    with pytest.raises(ScaleException):
        client.get_project_template(name)


def test_projects_of_other_types_are_for_test_keys(live, test, name):
    with pytest.raises(ScaleInvalidRequest):
        live.create_project(name, TaskType.Categorization)
    assert test.create_project(name, TaskType.Categorization).type == "categorization"


def test_batches_of_a_live_key(live, web, name):
    live.create_project(name, TaskType.ImageAnnotation, {"geometries": GEOMETRIES})
    path = f"/batches/{uuid.uuid4()}"
    batch = live.create_batch(name, name, callback=web.url + path, metadata={"a": 1})
    assert batch.status == "staging" and batch.metadata == {"a": 1} and batch.project == name
    tasks = [live.create_task(TaskType.ImageAnnotation, batch=name, attachment=web.image()) for _ in range(2)]
    batch.get_status()
    assert (batch.status, batch.tasks_pending, batch.tasks_completed) == ("staging", 2, 0)
    batch.finalize()
    assert batch.status == "in_progress"
    with pytest.raises(ScaleInvalidRequest):
        live.create_task(TaskType.ImageAnnotation, batch=name, attachment=web.image())
    for task in tasks:
        task.cancel()
    batch.get_status()
    assert (batch.status, batch.tasks_pending, batch.tasks_canceled) == ("completed", 0, 2)
    told = web.called(path)[0][2]
    assert told["batch"]["name"] == name and told["canceled"] == 2 and told["status"] == "completed"


def test_batches_of_a_test_key_are_in_progress_from_birth(test, web, name):
    test.create_project(name, TaskType.ImageAnnotation, {"geometries": GEOMETRIES})
    batch = test.create_batch(name, name)
    assert batch.status == "in_progress"
    for _ in range(2):
        test.create_task(TaskType.ImageAnnotation, batch=name, attachment=web.image())
    batch.get_status()
    assert (batch.status, batch.tasks_completed) == ("completed", 2)  # with its last task, which is done at once
    batch.finalize()
    assert batch.status == "completed"
    test.create_task(TaskType.ImageAnnotation, batch=name, attachment=web.image())


def test_batch_names_are_the_accounts(client, name):
    for project in (name, name + "2"):
        client.create_project(project, TaskType.ImageAnnotation)
    client.create_batch(name, name, calibration_batch=True)
    with pytest.raises(ScaleDuplicateResource):
        client.create_batch(name + "2", name)
    with pytest.raises(ScaleInvalidRequest):
        client.create_batch(name, name + "3", calibration_batch=True, self_label_batch=True)
    with pytest.raises(ScaleResourceNotFound):
        client.create_batch("none", name + "4")
    answer = call("POST", "/batches", json={"project": name, "name": name + "5", "callback": None}, key=client.api._auth[0])
    assert answer.status_code == 200


def test_lists_of_batches(client, name):
    client.create_project(name, TaskType.ImageAnnotation)
    names = [client.create_batch(name, f"{name} {n}").name for n in range(5)]
    assert [b.name for b in client.get_batches(project_name=name)] == names[::-1]
    page = client.batches(project=name, limit=2, offset=2)
    assert [b.name for b in page] == names[::-1][2:4] and page.total == 5 and page.has_more
    raw = call("GET", f"/batches?project={name}&limit=2&offset=4&exclude_archived=True", key=client.api._auth[0]).json()
    assert raw["totalPages"] == 3 and raw["hasNextPage"] is False and raw["has_more"] is False and raw["nextPage"] is None and raw["totalDocs"] == 5
    assert client.batches(project=name, start_time="2999-01-01").total == 0
    assert client.batches(project=name, status="completed").total == 0


def test_files(client, web, name):
    client.create_project(name, TaskType.ImageAnnotation, {"geometries": GEOMETRIES})
    reference = str(uuid.uuid4())
    file = client.upload_file(("a.png", png(1)), project_name=name, reference_id=reference, metadata=json.dumps({"a": 1}), display_name="mine")
    told = file.as_dict()
    assert told["attachment_url"].startswith("scaledata://") and told["mime_type"] == "image/png" and told["size"] == len(png(1))
    assert told["project_names"] == [name] and told["metadata"] == {"a": 1}
    with pytest.raises(ScaleDuplicateResource):
        client.upload_file(("a.png", png(1)), reference_id=reference)
    task = client.create_task(TaskType.ImageAnnotation, project=name, attachment=file.attachment_url)
    assert task.params["attachment"] == file.attachment_url
    imported = client.import_file(web.image(), project_name=name, metadata=json.dumps({"b": 2}))
    assert imported.as_dict()["mime_type"] == "image/png"
    for bad in (web.url + "/gone", "ftp://example.org/a", "http://169.254.169.254/"):
        with pytest.raises(ScaleException):
            client.import_file(bad)
    with pytest.raises(ScaleInvalidRequest):
        client.create_task(TaskType.ImageAnnotation, project=name, attachment="scaledata://remuda/none")


def test_quality_tasks(client, web, name):
    client.create_project(name, TaskType.ImageAnnotation, {"geometries": GEOMETRIES}, rapid=True)
    right = {"annotations": [{"type": "box", "label": "Big Cow", "left": 10, "top": 10, "width": 50, "height": 40}]}
    made = client.create_evaluation_task(TaskType.ImageAnnotation, project=name, attachment=web.image(), expected_response=right, initial_response=right, rapid=True)
    assert made.id and made.expected_response == right and made.as_dict()["initial_response"] == right
    assert client.create_training_task(TaskType.ImageAnnotation, project=name, attachment=web.image(), expected_response=right).expected_response == right
    with pytest.raises(ScaleInvalidRequest):
        client.create_evaluation_task(TaskType.ImageAnnotation, project=name, attachment=web.image())
    wrong = {"annotations": [{**right["annotations"][0], "label": "Dragon"}]}
    with pytest.raises(ScaleInvalidRequest):
        client.create_evaluation_task(TaskType.ImageAnnotation, project=name, attachment=web.image(), expected_response=wrong)
    assert client.get_tasks_count(project_name=name) == 0  # they are no tasks of the project


def test_people_and_their_work(live, name):
    ada, bob = f"ada-{uuid.uuid4()}@example.org", f"bob-{uuid.uuid4()}@example.org"
    team = {t.email: t.role for t in live.invite_teammates([ada, bob.upper()], TeammateRole.Labeler)}
    assert team[ada] == "labeler" and team[bob] == "labeler"
    with pytest.raises(ScaleException):
        live.invite_teammates([ada], TeammateRole.Admin)
    live.create_project(name, TaskType.ImageAnnotation)
    assert live.add_studio_assignments([ada, bob], [name])[ada].assigned_projects == [name]
    group = live.create_project_group(name, [ada], "a group")
    assert group.numWorkers == 1 and group.workers[0][0].email == ada
    assert live.update_project_group(name, "a group", [bob], [ada]).workers[0][0].email == bob
    with pytest.raises(ScaleDuplicateResource):
        live.create_project_group(name, [ada], "a group")
    assert [g.name for g in live.list_project_groups(name)] == ["a group"]
    live.create_batch(name, name)
    assert live.assign_studio_batches(name, ["a group", ada]).groups
    with pytest.raises(ScaleInvalidRequest):
        live.assign_studio_batches(name, ["no group"])
    assert live.list_studio_assignments()[bob].assigned_projects == [name]
    assert {t.email: t.role for t in live.list_teammates()}[ada] == "labeler"
    assert {t.email: t.role for t in live.update_teammates_role([ada], TeammateRole.Labeler)}[ada] == "labeler"
    with pytest.raises(ScaleException):  # a key of a manager makes nobody a manager
        live.update_teammates_role([ada], TeammateRole.Manager)
    with pytest.raises(ScaleInvalidRequest):
        live.update_teammates_role(["nobody@example.org"], TeammateRole.Labeler)
    left = live.remove_studio_assignments([ada], [name])
    assert ada not in left and left[bob].assigned_projects == [name]


def test_priorities_of_batches(live, name):
    live.create_project(name, TaskType.ImageAnnotation)
    for n in range(3):
        live.create_batch(name, f"{name} {n}", calibration_batch=n == 2)
    mine = lambda batches: [int(b.name[-1]) for b in batches if b.name.startswith(name)]
    assert mine(live.list_studio_batches()) == [2, 0, 1]
    for _ in range(20):  # other tests' batches come and go
        everyone = [b.name for b in live.list_studio_batches()]
        order = sorted(everyone, key=lambda n: (not n.startswith(name), n))
        try:
            assert mine(live.set_studio_batches_priorities(order)) == [0, 1, 2]
            break
        except ScaleInvalidRequest:
            time.sleep(0.1)
    with pytest.raises(ScaleInvalidRequest):
        live.set_studio_batches_priorities([f"{name} 0"])
    assert mine(live.reset_studio_batches_priorities()) == [2, 0, 1]
