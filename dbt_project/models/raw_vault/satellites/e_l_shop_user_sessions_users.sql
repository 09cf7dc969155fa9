{{ config(unique_key=['h_shop_user_session_hk', 'change_position']) }}

{{ effectivity(
    changes=source('silver', 'shop_user_sessions_changes'),
    link_key='l_shop_user_session_user_hk',
    hash_key='h_shop_user_session_hk',
    hubs=[
        {'hash_key': 'h_shop_user_session_hk', 'column': 'id'},
        {'hash_key': 'h_shop_user_hk', 'column': 'user_id'}
    ]
) }}
