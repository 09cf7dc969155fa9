{# Per key each interval ends where the next begins, only the last is open, and none ends before it begins. #}
{% test intervals_follow_each_other(model, key, order_by='valid_from') %}
with intervals as (
    select
        {{ key }},
        valid_from,
        valid_to,
        lead(valid_from) over (partition by {{ key }} order by {{ order_by }}) as next_from
    from {{ model }}
)

select *
from intervals
where valid_to is distinct from next_from or valid_to < valid_from
{% endtest %}
