"""What the tasks share between the trunk and their heads, one file each."""

from mtl_keras.models.sharing.hard import hard

# name -> function(features, task names, units, dropout) -> {task name: features of that task}
SHARING = {"hard": hard}
