"""L2: answers of models, in memory over a folder that all processes of a machine share."""
