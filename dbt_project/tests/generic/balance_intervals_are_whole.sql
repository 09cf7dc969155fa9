{# Each account has exactly one open interval, and no interval ends before it begins. #}
{% test balance_intervals_are_whole(model) %}
select account_id
from {{ model }}
group by account_id
having
    sum(case when valid_to is null then 1 else 0 end) <> 1
    or sum(case when valid_to < valid_from then 1 else 0 end) > 0
{% endtest %}
