"""Records what the program of TIDE's authors counts in the cases of validate.json, for TestErrorCountsEqualTIDEs.

usage: python make_tide.py    writes tide.json beside this file: for each case the predictions that are right, then the counts of localization,
classification, both, duplicate, background and missed, at IoU 0.5 and 0.1. Needs tidecv (1.0.1).
"""
import json, os

from tidecv import Data, TIDE
from tidecv.errors.main_errors import BackgroundError, BoxError, ClassError, DuplicateError, MissedError, OtherError

here = os.path.dirname(os.path.abspath(__file__))
rows = []
for case in json.load(open(os.path.join(here, "validate.json"))):
    truth, found = Data("truth"), Data("found")
    for data in (truth, found):
        for k in range(3):
            data.add_class(k, "abc"[k])
    for item in range(case["items"]):
        truth.add_image(item, str(item))
    xywh = lambda b: [b[2], b[3], b[4] - b[2], b[5] - b[3]]
    for t in case["truth"]:
        truth.add_ground_truth(t[0], "abc".index(t[1]), box=xywh(t))
    for p in case["predictions"]:
        found.add_detection(p[0], "abc".index(p[1]), p[6], box=xywh(p))
    run = TIDE().evaluate(truth, found, pos_threshold=0.5, background_threshold=0.1, mode=TIDE.BOX)
    counts = [len(run.error_dict[e]) for e in (BoxError, ClassError, OtherError, DuplicateError, BackgroundError, MissedError)]
    rows.append([len(case["predictions"]) - sum(counts[:5])] + counts)
with open(os.path.join(here, "tide.json"), "w") as out:
    out.write("[\n" + ",\n".join(json.dumps(r) for r in rows) + "\n]\n")
