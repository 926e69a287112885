"""What every model card of a network of faces says, whatever its figures are."""

from mtl_keras.evaluation.calibration import BINS

DRAWN_ONLY = """
**This network was trained on drawn faces only. What it answers about people means nothing: it is there to try the
commands with.**
"""
USES = """
For research and teaching on multi-task learning, and for trying this package: to see what a network answers about
photos that you may use, of people who know of it, and how often it is wrong.

It must not be used

- for decisions about people: hiring, credit, insurance, prices, admission, access, policing, health, schooling;
- to identify people, to find them again, or to check who they are or how old they are;
- to watch people, in shops, at work, at school or in public, without their knowledge and a legal ground;
- to sort people by gender, ethnicity, age or what they seem to feel, or to say what anybody feels or is;
- on photos of children, other than to study how often it is wrong about them;
- for profit, where the terms of the training data below forbid that.
"""
METRICS = """
Accuracy in percent; MAE and RMSE in the task's unit; of labels that are intervals, how many answers lie within them, in
percent. All are measured on the network in the form that is given here, on one crop a face. Intervals of 95 % are
percentiles of 1,000 bootstrap samples of the test images: they tell of other images of the same sets, not of the world.
"""
ETHICS = """
- Gender is more than two words, and ethnicity more than five: these are the labels of the sets, as strangers saw
  people.
- An answer about ethnicity, age or expression can be personal data, and laws on biometric categories and on inferring
  emotions may forbid to ask for it. What is marked "on request" above is answered only for who asks for it by name.
- Most people in the training photos were not asked. Whoever uses the network should be the more careful.
- An expression is not a feeling.
"""
LIMITS = """
- The training photos are mostly of the web: well lit, large, looking at the camera. Others are answered worse: small,
  blurred, covered or turned faces, infrared, masks, make-up.
- Labels are wrong at times, so that no network can be right always; an error is measured against the label.
- Measure it on photos of your own before you rely on it: `mtl-keras evaluate --dataset NAME --data DIR`.
- Leave out what you need not know: `--tasks` names what is answered.
"""
EVALUATED = """
Each is the set's own test part, or a tenth of the set drawn by lot; copies of one photo are never in two parts.
"""
FACTORS = """
Gender and ethnicity are here what the labels call so: other people's impressions of a photo. Light, blur, the size of a
face and how far it is turned matter as well; `reliable` in each answer says whether a face shows enough.
"""
FEW = "A group of few images says little: see its interval."
CALIBRATED = f"""
ECE: the expected calibration error of {BINS} equal bins, by how much the probability of an answer differs from how
often such answers are right. NLL: minus the logarithm of the label's probability, on average. The scores of a task with
a temperature were divided by it, so that the labels of the validation images are likeliest. Of an age: how many labels
lie in the central 90 % of the distribution that is answered, and how wide that is. All is measured on the network in
the form that is given here.
"""
UNCALIBRATED = "Not measured: no test image has a label of a class or an age."
