"""policies: where should this call run?"""
