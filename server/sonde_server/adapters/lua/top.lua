local m = opened()
trim(m, now_ms())
return top_of(m)
